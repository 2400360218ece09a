// WebSocket frames (RFC 6455, 5.2) as a server reads and writes them. Frames mean nothing to MQTT
// [MQTT5-6.0.0-2], so a binary message is not put together: its bytes go on as they come, and no
// length that a client announces makes us hold anything. Pure; never throws.
//
//   1  FIN (1 bit), RSV (3 bits, 0), opcode (4)
//   1  MASK (1 bit), length (7); 126: two more bytes have it; 127: eight more
//   4  the mask, from client to server always
//      the payload, each byte XORed with its byte of the mask

export const Opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** Status codes of RFC 6455, 7.4.1. */
export const CloseCode = { normal: 1000, protocolError: 1002, unsupportedData: 1003 } as const;

const HEADER_BYTES_MAX = 14;
const CONTROL_BYTES_MAX = 125;
const FINAL = 0x80;
const RESERVED = 0x70;
const MASKED = 0x80;
const NOTHING = Buffer.alloc(0);

export interface FrameSink {
  /** Bytes of binary messages, in order; views into what was pushed. */
  handleData(bytes: Buffer): void;
  handleControl(opcode: number, payload: Buffer): void;
  /** The client broke the rules; nothing is read from then on. @param code for the Close frame */
  handleFault(code: number, reason: string): void;
}

export class FrameReader {
  readonly #sink: FrameSink;
  readonly #header = Buffer.alloc(HEADER_BYTES_MAX);
  #headerBytes = 0;
  /** Bytes of the payload that are still to come; -1 while in a header. */
  #left = -1;
  /** Position in the payload, for the mask. */
  #offset = 0;
  #opcode = 0;
  #control: Buffer = NOTHING;
  /** A binary message has begun and not ended. */
  #isInMessage = false;
  #isFinal = false;
  #isOver = false;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Takes the chunk over: its bytes are unmasked where they stand. */
  push(chunk: Buffer): void {
    let position = 0;
    while (position < chunk.length && !this.#isOver) {
      if (this.#left < 0) position = this.#readHeader(chunk, position);
      else position = this.#readPayload(chunk, position);
    }
  }

  #readHeader(chunk: Buffer, start: number): number {
    const header = this.#header;
    let position = start;
    while (position < chunk.length) {
      header[this.#headerBytes++] = chunk[position++]!;
      if (this.#headerBytes < headerBytes(header)) continue;
      this.#begin();
      return position;
    }
    return position;
  }

  /** The header is whole. */
  #begin(): void {
    const header = this.#header;
    const first = header[0]!;
    const length = payloadBytes(header);
    const fault = this.#faultOf(first, length);
    if (fault !== undefined) {
      this.#isOver = true;
      this.#sink.handleFault(
        (first & 15) === Opcode.text ? CloseCode.unsupportedData : CloseCode.protocolError,
        fault,
      );
      return;
    }
    this.#isFinal = (first & FINAL) !== 0;
    this.#opcode = first & 15;
    this.#left = length;
    this.#offset = 0;
    this.#control = NOTHING;
    if (length === 0) this.#finish();
  }

  #faultOf(first: number, length: number): string | undefined {
    const opcode = first & 15;
    if ((first & RESERVED) !== 0) return 'reserved bits are set';
    if ((this.#header[1]! & MASKED) === 0) return 'a frame is not masked';
    if (!Number.isSafeInteger(length)) return 'a frame has an impossible length';
    if (opcode >= Opcode.close && opcode <= Opcode.pong) {
      const fits = (first & FINAL) !== 0 && length <= CONTROL_BYTES_MAX;
      return fits ? undefined : 'a control frame is fragmented or too long';
    }
    // [MQTT5-6.0.0-1] any other type of data frame ends the connection.
    if (opcode === Opcode.text) return 'binary frames only';
    if (opcode > Opcode.binary) return 'an unknown opcode';
    if ((opcode === Opcode.continuation) !== this.#isInMessage) return 'a frame out of order';
    return undefined;
  }

  #readPayload(chunk: Buffer, start: number): number {
    const end = Math.min(chunk.length, start + this.#left);
    const bytes = chunk.subarray(start, end);
    unmask(bytes, this.#header, headerBytes(this.#header) - 4, this.#offset);
    this.#offset += bytes.length;
    this.#left -= bytes.length;
    if (this.#opcode >= Opcode.close) this.#control = Buffer.concat([this.#control, bytes]);
    else this.#sink.handleData(bytes);
    if (this.#left === 0) this.#finish();
    return end;
  }

  #finish(): void {
    this.#left = -1;
    this.#headerBytes = 0;
    if (this.#opcode < Opcode.close) this.#isInMessage = !this.#isFinal;
    else this.#sink.handleControl(this.#opcode, this.#control);
  }
}

/** Of the whole header, as far as its first two bytes tell. */
function headerBytes(header: Buffer): number {
  const length = header[1]! & 127;
  const maskBytes = (header[1]! & MASKED) === 0 ? 0 : 4;
  return 2 + (length === 127 ? 8 : length === 126 ? 2 : 0) + maskBytes;
}

function payloadBytes(header: Buffer): number {
  const length = header[1]! & 127;
  if (length === 126) return header.readUInt16BE(2);
  return length === 127 ? Number(header.readBigUInt64BE(2)) : length;
}

function unmask(bytes: Buffer, header: Buffer, maskAt: number, offset: number): void {
  const first = header[maskAt + (offset & 3)]!;
  const second = header[maskAt + ((offset + 1) & 3)]!;
  const third = header[maskAt + ((offset + 2) & 3)]!;
  const fourth = header[maskAt + ((offset + 3) & 3)]!;
  let i = 0;
  for (; i + 3 < bytes.length; i += 4) {
    bytes[i] = bytes[i]! ^ first;
    bytes[i + 1] = bytes[i + 1]! ^ second;
    bytes[i + 2] = bytes[i + 2]! ^ third;
    bytes[i + 3] = bytes[i + 3]! ^ fourth;
  }
  for (; i < bytes.length; i++) bytes[i] = bytes[i]! ^ header[maskAt + ((offset + i) & 3)]!;
}

/** What stands before a payload of this length; a server does not mask. */
export function encodeFrameHeader(opcode: number, length: number): Buffer {
  if (length < 126) return Buffer.from([FINAL | opcode, length]);
  if (length < 0x10000) return Buffer.from([FINAL | opcode, 126, length >> 8, length & 255]);
  const header = Buffer.alloc(10);
  header[0] = FINAL | opcode;
  header[1] = 127;
  header.writeUIntBE(length, 4, 6);
  return header;
}
