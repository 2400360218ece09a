// What stands inside the envelope on the sync channel: a piece of the sender's stream of packets
// (data), or the two bodies by which a receiver learns where a peer's stream begins for it (hello,
// welcome). Big endian. docs/protocol.md holds the same layouts with test vectors.
// Invariant: reading never throws; unknown kinds and wrong sizes are told as undefined.
//
//   data      offset  size  field
//                  0     1  kind, 1
//                  1     1  reserved: 0 when sent, ignored when received
//                  2     2  first start: offset within the piece of the first packet that begins in
//                           it; the size of the piece where none does
//                  4     6  sequence of this datagram, from 1, +1 for each data datagram
//                 10     6  number of the first packet that begins here, from 1, +1 for each packet;
//                           where none does, the number that the next one will have
//                 16     n  the piece: MQTT 5 PUBLISH packets, one behind the other
//
//   hello          0     1  kind, 2
//                  1     3  reserved
//                  4     8  nonce, random for each peer that is asked
//                 12     n  reserved, at least 12: makes the question as long as the asker's
//                           datagrams will be, so that an answer shows that they pass
//
//   welcome        0     1  kind, 3
//                  1     3  reserved
//                  4     8  nonce of the hello
//                 12     6  sequence of the first data datagram that was or will be sent to the asker
//                 18     6  number of the first packet that begins at or after that datagram

export const DATA_HEADER_BYTES = 16;
export const WELCOME_BYTES = 24;
export const NONCE_BYTES = 8;

const KIND_DATA = 1;
const KIND_HELLO = 2;
const KIND_WELCOME = 3;

/** Sequences and numbers are 48 bits: at a million a second they last for nine years. */
const COUNTER_BYTES = 6;

export type BodyKind = 'data' | 'hello' | 'welcome';

/** A place in a sender's stream. */
export interface StreamPosition {
  sequence: number;
  /** Number of the first packet that begins there. */
  number: number;
}

/** Kind of a body whose size fits it; undefined for all else. */
export function bodyKind(body: Buffer): BodyKind | undefined {
  if (body.length === 0) return undefined;
  switch (body[0]) {
    case KIND_DATA:
      return body.length >= DATA_HEADER_BYTES &&
        firstStartOf(body) <= body.length - DATA_HEADER_BYTES
        ? 'data'
        : undefined;
    case KIND_HELLO:
      return body.length >= WELCOME_BYTES ? 'hello' : undefined;
    case KIND_WELCOME:
      return body.length === WELCOME_BYTES ? 'welcome' : undefined;
    default:
      return undefined;
  }
}

/** Of a data body: the field as it stands, relative to the piece. */
export function firstStartOf(body: Buffer): number {
  return body.readUInt16BE(2);
}

export function sequenceOf(body: Buffer): number {
  return body.readUIntBE(4, COUNTER_BYTES);
}

export function firstNumberOf(body: Buffer): number {
  return body.readUIntBE(10, COUNTER_BYTES);
}

/** Writes all of a data header but the sequence, which is given when the datagram leaves. */
export function writeDataHeader(
  buffer: Buffer,
  at: number,
  firstStart: number,
  firstNumber: number,
): void {
  buffer[at] = KIND_DATA;
  buffer[at + 1] = 0;
  buffer.writeUInt16BE(firstStart, at + 2);
  buffer.writeUIntBE(firstNumber, at + 10, COUNTER_BYTES);
}

export function writeSequence(buffer: Buffer, at: number, sequence: number): void {
  buffer.writeUIntBE(sequence, at + 4, COUNTER_BYTES);
}

/** @param end offset behind the body */
export function writeHello(buffer: Buffer, at: number, end: number, nonce: Buffer): void {
  buffer.fill(0, at, end);
  buffer[at] = KIND_HELLO;
  nonce.copy(buffer, at + 4, 0, NONCE_BYTES);
}

/** @returns offset behind the body */
export function writeWelcome(
  buffer: Buffer,
  at: number,
  nonce: Buffer,
  start: Readonly<StreamPosition>,
): number {
  buffer.fill(0, at, at + WELCOME_BYTES);
  buffer[at] = KIND_WELCOME;
  nonce.copy(buffer, at + 4, 0, NONCE_BYTES);
  buffer.writeUIntBE(start.sequence, at + 12, COUNTER_BYTES);
  buffer.writeUIntBE(start.number, at + 18, COUNTER_BYTES);
  return at + WELCOME_BYTES;
}

/** Of a hello or welcome: a view. */
export function nonceOf(body: Buffer): Buffer {
  return body.subarray(4, 4 + NONCE_BYTES);
}

export function startOf(welcome: Buffer): StreamPosition {
  return {
    sequence: welcome.readUIntBE(12, COUNTER_BYTES),
    number: welcome.readUIntBE(18, COUNTER_BYTES),
  };
}
