// The messages in queues and in flight whose payload is a view of the chunk in which it arrived. Such a message
// keeps all of the chunk alive, so only the latest may: an older one gets a copy of its own. Most are acknowledged
// before that.
// Invariant: the chunks that these messages keep alive have at most CHUNK_BYTES_MAX and one chunk more.

import { type Message, ownBytes } from './message.ts';

const MESSAGES_MAX = 4096;
const CHUNK_BYTES_MAX = 33_554_432;

export class BorrowedPayloads {
  /** A ring; the messages of one chunk follow each other. */
  readonly #messages = new Array<Message | undefined>(MESSAGES_MAX).fill(undefined);
  /** Bytes of the chunk, at the first of its messages; 0 at the others. */
  readonly #chunkBytes = new Array<number>(MESSAGES_MAX).fill(0);
  #bytes = 0;
  #oldest = 0;
  #next = 0;

  /** A queue or a session keeps the message from now on. */
  add(message: Message): void {
    const { packet } = message;
    if (packet === undefined) return;
    const slot = this.#next;
    const previous = this.#messages[(slot + MESSAGES_MAX - 1) % MESSAGES_MAX]?.packet;
    const isSameChunk = previous?.buffer === packet.buffer;
    const bytes = isSameChunk ? 0 : packet.buffer.buffer.byteLength;
    this.#messages[slot] = message;
    this.#chunkBytes[slot] = bytes;
    this.#bytes += bytes;
    packet.slot = slot;
    this.#next = (slot + 1) % MESSAGES_MAX;
    if (this.#next === this.#oldest) this.#endOldest();
    // A chunk above the bound leaves nothing in the ring.
    while (this.#bytes > CHUNK_BYTES_MAX) this.#endOldest();
  }

  #endOldest(): void {
    const slot = this.#oldest;
    this.#oldest = (slot + 1) % MESSAGES_MAX;
    this.#bytes -= this.#chunkBytes[slot]!;
    this.#chunkBytes[slot] = 0;
    const message = this.#messages[slot];
    if (message !== undefined) this.end(message);
  }

  /** Nothing keeps the message any more. */
  remove({ packet }: Message): void {
    if (packet === undefined || packet.slot < 0) return;
    this.#messages[packet.slot] = undefined;
    packet.slot = -1;
  }

  /** Gives the message bytes of its own, so that it may be kept for any time. */
  end(message: Message): void {
    if (message.packet === undefined) return;
    this.remove(message);
    message.payload = ownBytes(message.payload, 0, message.payload.length);
    message.packet = undefined;
  }
}
