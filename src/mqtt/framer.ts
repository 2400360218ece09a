// Cuts the byte stream of one connection into MQTT packets. The announced length is checked
// against the limit before anything is buffered, so a client can't make us hold more than
// one packet of the allowed size. Knows nothing of what a packet means.

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
  /** Chunks of a packet that is not complete, and how many bytes they hold. */
  #held: Buffer[] | undefined;
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

  /** Hands in what the network brought. Packets found later are views into it: don't reuse it. */
  push(chunk: Buffer): void {
    if (this.#held !== undefined) {
      this.#held.push(chunk);
      this.#heldBytes += chunk.length;
      if (this.#heldBytes < this.#neededBytes) {
        this.buffer = EMPTY;
      } else {
        this.buffer = Buffer.concat(this.#held, this.#heldBytes);
        this.#held = undefined;
        this.#heldBytes = 0;
      }
    } else {
      this.buffer = chunk;
    }
    this.start = this.bodyStart = this.end = 0;
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
      this.#held = [rest];
      this.#heldBytes = rest.length;
    }
    this.buffer = EMPTY;
    this.start = this.bodyStart = this.end = 0;
    return false;
  }
}
