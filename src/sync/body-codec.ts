// The bodies inside the envelope on the sync channel: a segment of the sender's stream of packets
// (data), and the two by which a receiver learns where a peer's stream begins for it (hello,
// welcome). The others are in heartbeat-codec.ts, repair-codec.ts and ack-codec.ts. Big endian. docs/protocol.md has
// the same layouts with test vectors.
// Invariant: reading never throws; bodyKind() returns undefined for unknown kinds and wrong sizes.
//
//   data      offset  size  field
//                  0     1  kind, 1
//                  1     1  bit 0: the sender asks for an ack; the others are reserved: 0 when
//                           sent, ignored when received
//                  2     2  first start: offset within the segment of the first packet that begins
//                           in it; the size of the segment if none does
//                  4     6  sequence of this datagram, from 1, +1 for each data datagram
//                 10     6  number of the first packet that begins here, from 1, +1 for each packet;
//                           if none does, the number of the next packet to begin
//                 16     n  the segment: MQTT 5 PUBLISH packets, one after the other; behind one
//                           with DUP set a stamp: cluster time (6), sequence of the write (6)
//
//   hello          0     1  kind, 2
//                  1     3  reserved
//                  4     8  nonce, random for each peer and time
//                 12     n  padding, at least 12: makes the hello as long as the sender's data
//                           datagrams, so that the answer proves that these pass
//
//   welcome        0     1  kind, 3
//                  1     1  reserved
//                  2     2  size of the hello's datagram, bytes
//                  4     8  nonce of the hello
//                 12     6  sequence of the first data datagram for the sender of the hello
//                 18     6  number of the first packet that begins at or after that datagram

import type { Stamp } from '../shared/stamp.ts';
import { ACK_BYTES, KIND_ACK } from './ack-codec.ts';
import { HEARTBEAT_BYTES, KIND_HEARTBEAT } from './heartbeat-codec.ts';
import { KIND_REPAIR, REPAIR_HEADER_BYTES } from './repair-codec.ts';

export const DATA_HEADER_BYTES = 16;
export const WELCOME_BYTES = 24;
export const NONCE_BYTES = 8;

const KIND_DATA = 1;
const KIND_HELLO = 2;
const KIND_WELCOME = 3;

const ASKS_FOR_ACK = 1;

/** Sequences and numbers have 48 bits, which last nine years at a million a second. */
const COUNTER_BYTES = 6;

export type BodyKind = 'data' | 'hello' | 'welcome' | 'heartbeat' | 'repair' | 'ack';

/** A position in a sender's stream. */
export interface StreamPosition {
  sequence: number;
  /** Number of the first packet that begins at or after that datagram. */
  number: number;
}

/** @returns the kind, or undefined if it is unknown or does not fit the size of the body */
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
    case KIND_HEARTBEAT:
      return body.length >= HEARTBEAT_BYTES ? 'heartbeat' : undefined;
    case KIND_REPAIR:
      return body.length >= REPAIR_HEADER_BYTES ? 'repair' : undefined;
    case KIND_ACK:
      return body.length === ACK_BYTES ? 'ack' : undefined;
    default:
      return undefined;
  }
}

/** The "first start" field of a data body: an offset within its segment. */
export function firstStartOf(body: Buffer): number {
  return body.readUInt16BE(2);
}

export function sequenceOf(body: Buffer): number {
  return body.readUIntBE(4, COUNTER_BYTES);
}

export function firstNumberOf(body: Buffer): number {
  return body.readUIntBE(10, COUNTER_BYTES);
}

/** Writes a data header without its sequence, which writeSequence() adds when the datagram leaves. */
export function writeDataHeader(
  buffer: Buffer,
  at: number,
  firstStart: number,
  firstNumber: number,
): void {
  buffer[at] = KIND_DATA;
  buffer[at + 1] = 0;
  buffer.writeUInt16BE(firstStart, at + 2);
  writeFirstNumber(buffer, at, firstNumber);
}

export function writeSequence(buffer: Buffer, at: number, sequence: number): void {
  buffer.writeUIntBE(sequence, at + 4, COUNTER_BYTES);
}

/** Makes a data datagram ask for an ack, or not. */
export function writeAsksForAck(buffer: Buffer, at: number, asks: boolean): void {
  buffer[at + 1] = asks ? ASKS_FOR_ACK : 0;
}

export function asksForAck(body: Buffer): boolean {
  return (body[1]! & ASKS_FOR_ACK) !== 0;
}

/** Writes the number of the first packet into a data header. */
export function writeFirstNumber(buffer: Buffer, at: number, firstNumber: number): void {
  buffer.writeUIntBE(firstNumber, at + 10, COUNTER_BYTES);
}

/** Writes a hello with padding. @param end offset behind the body */
export function writeHello(buffer: Buffer, at: number, end: number, nonce: Buffer): void {
  buffer.fill(0, at, end);
  buffer[at] = KIND_HELLO;
  nonce.copy(buffer, at + 4, 0, NONCE_BYTES);
}

/**
 * @param helloBytes size of the datagram that the hello came in
 * @returns the offset behind the body
 */
export function writeWelcome(
  buffer: Buffer,
  at: number,
  nonce: Buffer,
  helloBytes: number,
  start: Readonly<StreamPosition>,
): number {
  buffer.fill(0, at, at + WELCOME_BYTES);
  buffer[at] = KIND_WELCOME;
  buffer.writeUInt16BE(Math.min(helloBytes, 0xffff), at + 2);
  nonce.copy(buffer, at + 4, 0, NONCE_BYTES);
  buffer.writeUIntBE(start.sequence, at + 12, COUNTER_BYTES);
  buffer.writeUIntBE(start.number, at + 18, COUNTER_BYTES);
  return at + WELCOME_BYTES;
}

/** Writes the version of a retained value; its writer is known from elsewhere. */
export function writeStamp(
  buffer: Buffer,
  at: number,
  { time, sequence }: Omit<Stamp, 'writer'>,
): void {
  buffer.writeUIntBE(time, at, COUNTER_BYTES);
  buffer.writeUIntBE(sequence, at + COUNTER_BYTES, COUNTER_BYTES);
}

export function readStamp(buffer: Buffer, at: number, writer: bigint): Stamp {
  return {
    time: buffer.readUIntBE(at, COUNTER_BYTES),
    writer,
    sequence: buffer.readUIntBE(at + COUNTER_BYTES, COUNTER_BYTES),
  };
}

/** The nonce of a hello or welcome, as a view into it. */
export function nonceOf(body: Buffer): Buffer {
  return body.subarray(4, 4 + NONCE_BYTES);
}

/** Of a welcome: size of the hello's datagram that it answers, bytes. */
export function helloBytesOf(welcome: Buffer): number {
  return welcome.readUInt16BE(2);
}

/** The position that a welcome announces. */
export function startOf(welcome: Buffer): StreamPosition {
  return {
    sequence: welcome.readUIntBE(12, COUNTER_BYTES),
    number: welcome.readUIntBE(18, COUNTER_BYTES),
  };
}
