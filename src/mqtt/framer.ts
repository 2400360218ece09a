// Cuts the byte stream of one connection into MQTT packets. The announced length is checked
// against the limit before anything is buffered, so a client can't make us hold more than
// one packet of the allowed size, however small the pieces are; and what was announced takes no
// memory before it comes. Knows nothing of what a packet means.

import { malformed, type ProtocolFault } from './protocol-fault.ts';
import { ReasonCode } from './reason-code.ts';
import { decodeVarint, VARINT_INCOMPLETE, VARINT_MALFORMED, varintBytes } from './varint.ts';

const BAD_LENGTH = malformed('the Remaining Length is not a Variable Byte Integer');
const TOO_LARGE: ProtocolFault = {
  reasonCode: ReasonCode.packetTooLarge,
  text: 'the packet is larger than the Maximum Packet Size',
};
const EMPTY = Buffer.alloc(0);

export class Framer {
  /** The packet found last: bytes `[start, end)` of `buffer`, its variable header at `bodyStart`. */
  buffer: Buffer = EMPTY;
  start = 0;
  bodyStart = 0;
  end = 0;
  /** Larger packets are refused; may change between packets. */
  packetBytesMax: number;
  /** Begins with the `#heldBytes` bytes of a packet that is not complete; has room for more. */
  #held: Buffer | undefined;
  #heldBytes = 0;
  /** Bytes that the incomplete packet needs before looking again makes sense. */
  #neededBytes = 0;

  constructor(packetBytesMax: number) {
    this.packetBytesMax = packetBytesMax;
  }

  /** True while a packet has begun and not ended. */
  get holding(): boolean {
    return this.#heldBytes > 0;
  }

  /** True if the packet found last was the end of what came so far. */
  get isDrained(): boolean {
    return this.end === this.buffer.length;
  }

  /** Hands in what the network brought. Packets found later are views into it: don't reuse it. */
  push(chunk: Buffer): void {
    this.buffer = this.#held === undefined ? chunk : this.#append(this.#held, chunk);
    this.start = this.bodyStart = this.end = 0;
  }

  /** All bytes held once they are enough, until then none. */
  #append(held: Buffer, chunk: Buffer): Buffer {
    const bytes = this.#heldBytes + chunk.length;
    const isEnough = bytes >= this.#neededBytes;
    let target = held;
    if (bytes > held.length) {
      const grown = Math.min(held.length * 2, this.#neededBytes);
      target = Buffer.allocUnsafe(Math.max(bytes, grown));
      held.copy(target, 0, 0, this.#heldBytes);
    }
    chunk.copy(target, this.#heldBytes);
    this.#held = isEnough ? undefined : target;
    this.#heldBytes = isEnough ? 0 : bytes;
    return isEnough ? target.subarray(0, bytes) : EMPTY;
  }

  /** True when a packet was found, false when more bytes are needed; or what is wrong. */
  next(): boolean | ProtocolFault {
    const { buffer } = this;
    const start = this.end;
    const available = buffer.length - start;
    if (available < 2) return this.#hold(start, 2);
    let bodyStart = start + 2;
    let length = buffer[start + 1]!;
    if (length >= 0x80) {
      length = decodeVarint(buffer, start + 1, buffer.length);
      if (length === VARINT_INCOMPLETE) return this.#hold(start, available + 1);
      if (length === VARINT_MALFORMED) return BAD_LENGTH;
      bodyStart = start + 1 + varintBytes(length);
    }
    const end = bodyStart + length;
    if (end - start > this.packetBytesMax) return TOO_LARGE;
    if (end > buffer.length) return this.#hold(start, end - start);
    this.start = start;
    this.bodyStart = bodyStart;
    this.end = end;
    return true;
  }

  #hold(start: number, neededBytes: number): false {
    const { buffer } = this;
    this.#neededBytes = neededBytes;
    if (start < buffer.length) {
      // A copy, so that a few bytes of a slow client don't keep a whole read buffer alive.
      const rest = Buffer.from(buffer.subarray(start));
      this.#held = rest;
      this.#heldBytes = rest.length;
    }
    this.buffer = EMPTY;
    this.start = this.bodyStart = this.end = 0;
    return false;
  }
}
