// Cuts the byte stream of one connection into MQTT packets. Knows nothing of what a packet means.
// Invariants: the announced length is checked against the limit before anything is buffered; an
// announced length takes no memory before its bytes arrive; and assembling a packet copies each of
// its bytes a bounded number of times, however many pieces it arrives in.
// Source: MQTT 5.0 2.1, MQTT 3.1.1 2.2.3.

import { copyBytes } from '../shared/copy-bytes.ts';
import { malformed, type ProtocolFault } from './protocol-fault.ts';
import { ReasonCode } from './reason-code.ts';
import { decodeVarint, encodeVarint, VARINT_INCOMPLETE, varintBytes } from './varint.ts';

const BAD_LENGTH = malformed('the Remaining Length is not a Variable Byte Integer');
const TOO_LARGE: ProtocolFault = {
  reasonCode: ReasonCode.packetTooLarge,
  text: 'the packet is larger than the Maximum Packet Size',
};
const EMPTY = Buffer.alloc(0);
/** The first byte, and one byte of the Remaining Length. */
const HEADER_BYTES_MIN = 2;

export class Framer {
  /** The packet found last: bytes `[start, end)` of `buffer`, its variable header at `bodyStart`. */
  buffer: Buffer = EMPTY;
  start = 0;
  bodyStart = 0;
  end = 0;
  /** A mark of the caller on the packets of `buffer`: those of another buffer are without. */
  isMarked = false;
  /** Larger packets are refused; may change between packets. */
  packetBytesMax: number;
  /** A Remaining Length in more bytes than needed: allowed before MQTT 5, forbidden in it [MQTT5-1.5.5-1]. */
  allowsPadding = true;
  /** True once a packet has come with such a length. It has been rewritten without. */
  hasSeenPadding = false;
  /** The beginning of a packet: the first `#heldBytes` bytes; the rest is room to grow into. */
  #held: Buffer | undefined;
  #heldBytes = 0;
  /** Bytes that the held packet needs before it makes sense to look at it again. */
  #neededBytes = 0;
  /** The chunk that completed the held packet, with further packets from `#restStart` on. */
  #rest: Buffer | undefined;
  #restStart = 0;

  constructor(packetBytesMax: number) {
    this.packetBytesMax = packetBytesMax;
  }

  /** True while a packet has begun and not ended. */
  get isHolding(): boolean {
    return this.#heldBytes > 0;
  }

  /** Memory of what is not handled yet, bytes: a packet that has begun, and the packets after the last one found. */
  get heldBytes(): number {
    return (this.#held?.length ?? 0) + this.buffer.length + (this.#rest?.length ?? 0);
  }

  /** True if the packet found last was the end of the bytes received so far. */
  get isDrained(): boolean {
    return this.end === this.buffer.length && this.#rest === undefined;
  }

  /** Adds bytes from the network. Packets found later are views into them: the caller must not reuse them. */
  push(chunk: Buffer): void {
    if (this.#held === undefined) this.#show(chunk, 0);
    else this.#append(this.#held, chunk, 0);
  }

  #show(buffer: Buffer, at: number): void {
    this.buffer = buffer;
    this.isMarked = false;
    this.start = this.bodyStart = this.end = at;
  }

  /** Adds to the held packet what it needs of the chunk; the rest of the chunk stays where it is. */
  #append(held: Buffer, chunk: Buffer, from: number): void {
    const bytes = Math.min(this.#neededBytes, this.#heldBytes + chunk.length - from);
    const to = from + bytes - this.#heldBytes;
    const isEnough = bytes === this.#neededBytes;
    let target = held;
    if (bytes > held.length) {
      target = Buffer.allocUnsafe(isEnough ? bytes : capacityFor(bytes, this.#neededBytes));
      copyBytes(target, 0, held, 0, this.#heldBytes);
    }
    copyBytes(target, this.#heldBytes, chunk, from, to);
    this.#held = isEnough ? undefined : target;
    this.#heldBytes = isEnough ? 0 : bytes;
    this.#rest = to < chunk.length ? chunk : undefined;
    this.#restStart = to;
    this.#show(isEnough ? target.subarray(0, bytes) : EMPTY, 0);
  }

  /** @returns true if a packet was found, false if more bytes are needed, or the client's fault */
  next(): boolean | ProtocolFault {
    const { buffer } = this;
    const start = this.end;
    const available = buffer.length - start;
    if (available < HEADER_BYTES_MIN) return this.#holdOrGoOn(start, HEADER_BYTES_MIN);
    let bodyStart = start + HEADER_BYTES_MIN;
    let length = buffer[start + 1]!;
    let padding = 0;
    if (length >= 0x80) {
      length = decodeVarint(buffer, start + 1, buffer.length, true);
      if (length === VARINT_INCOMPLETE) return this.#holdOrGoOn(start, available + 1);
      if (length < 0) return BAD_LENGTH;
      while (buffer[bodyStart - 1]! >= 0x80) bodyStart += 1;
      padding = bodyStart - start - 1 - varintBytes(length);
    }
    const end = bodyStart + length;
    if (end - start > this.packetBytesMax) {
      this.#place(start, bodyStart, end);
      return TOO_LARGE;
    }
    if (end > buffer.length) return this.#holdOrGoOn(start, end - start);
    this.#place(start, bodyStart, end);
    return padding === 0 ? true : this.#removePadding(padding);
  }

  /** For a packet that is refused as too large `end` may lie behind the buffer. */
  #place(start: number, bodyStart: number, end: number): void {
    this.start = start;
    this.bodyStart = bodyStart;
    this.end = end;
  }

  /** Joins the packet found last, which was refused as too large, with all bytes that arrived behind it. */
  joinRest(): void {
    const { buffer, start, bodyStart, end } = this;
    if (this.#rest === undefined) return;
    this.buffer = Buffer.concat([buffer.subarray(start), this.#rest.subarray(this.#restStart)]);
    this.#rest = undefined;
    this.#place(0, bodyStart - start, end - start);
  }

  /** In place, so that the packet can go on to other clients as it is. */
  #removePadding(padding: number): true | ProtocolFault {
    if (!this.allowsPadding) return BAD_LENGTH;
    const { buffer, start, bodyStart, end } = this;
    this.hasSeenPadding = true;
    this.start = start + padding;
    buffer[this.start] = buffer[start]!;
    encodeVarint(buffer, this.start + 1, end - bodyStart);
    return true;
  }

  /** Passes over packets behind the one found last. @param end of the last of them, all in `buffer` */
  skipTo(end: number): void {
    this.end = end;
  }

  /** The buffer has no whole packet any more; the chunk behind it may have some. */
  #holdOrGoOn(start: number, neededBytes: number): boolean | ProtocolFault {
    const rest = this.#rest;
    const restStart = this.#restStart;
    this.#rest = undefined;
    this.#hold(start, neededBytes);
    if (rest === undefined) return false;
    if (this.#held === undefined) this.#show(rest, restStart);
    else this.#append(this.#held, rest, restStart);
    return this.next();
  }

  #hold(start: number, neededBytes: number): void {
    const { buffer } = this;
    if (start < buffer.length) {
      // A copy, so that a few bytes of a slow client don't keep a whole read buffer alive.
      const held = Buffer.from(buffer.subarray(start));
      this.#held = held;
      this.#heldBytes = held.length;
      this.#neededBytes = neededBytes;
    }
    this.#show(EMPTY, 0);
  }
}

/**
 * Room for a packet of which `bytes` have arrived: its size, or a half, a quarter and so on of it.
 * So growing copies less than the packet's size in all, and the room is less than twice what arrived.
 */
function capacityFor(bytes: number, packetBytes: number): number {
  let capacity = packetBytes;
  while (capacity >= 2 * bytes) capacity = Math.ceil(capacity / 2);
  return capacity;
}
