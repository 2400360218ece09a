// The heartbeat body of the sync channel. It says what this node has sent to the peer and what it
// has received from it, so that both ends know, for each direction, whether datagrams pass and how
// many are lost. Big endian. docs/protocol.md has the same layout with a test vector.
// Invariant: readHeartbeat() reads any body of at least HEARTBEAT_BYTES without throwing.
//
//   heartbeat  offset  size  field
//                   0     1  kind, 4
//                   1     3  reserved: 0 when sent, ignored when received
//                   4     8  boot id of the peer that it is for
//                  12     4  number of this heartbeat, from 1, +1 for each one to this peer
//                  16     4  highest number received from the peer; 0 for none
//                  20     4  bit i: the number i + 1 below that one has been received as well
//                  24     4  microseconds since that one arrived
//                  28     6  sequence of the last data datagram that was sent; 0 for none
//                  34     6  number of the first packet after that datagram
//                  40     6  sequence up to which the peer's datagrams are settled: received or lost
//                  46     6  data datagrams of the peer that are lost up to there
//                  52     6  number of the peer's next packet; 0 before the welcome
//                  58     6  messages of the peer that are lost up to there
//                  64     n  padding: makes the heartbeat a probe of the path for that size

import { ENVELOPE_BYTES, ENVELOPE_HEADER_BYTES, ENVELOPE_TAG_BYTES } from '../shared/envelope.ts';

export const HEARTBEAT_BYTES = 64;
export const KIND_HEARTBEAT = 4;

const COUNTER_BYTES = 6;
const UINT32_MAX = 0xffffffff;

export interface Heartbeat {
  /** The process that it is for: a peer that has restarted gets one for its predecessor first. */
  receiverBootId: bigint;
  number: number;
  /** Highest number received from the peer; 0 for none. */
  ackedNumber: number;
  /** Bit i: `ackedNumber - 1 - i` has been received as well. */
  ackedBefore: number;
  /** Time between the arrival of `ackedNumber` and this heartbeat. */
  ackDelayMs: number;
  /** Sequence of the last data datagram that the sender has sent. */
  sentSequence: number;
  /** Number of the first packet after it. */
  sentNumber: number;
  /** Sequence up to which the sender has received the peer's datagrams, or knows them lost. */
  settledSequence: number;
  /** How many of them are lost. */
  lostDatagrams: number;
  /** Number of the next packet that the sender expects; 0 while it does not accept the stream. */
  expectedNumber: number;
  /** Messages lost before that one. */
  lostMessages: number;
}

/** @param probeBytes size of the datagram; 0 for a small one. @returns it, complete except for the envelope */
export function encodeHeartbeat(heartbeat: Readonly<Heartbeat>, probeBytes: number): Buffer {
  const datagram = Buffer.allocUnsafe(Math.max(probeBytes, ENVELOPE_BYTES + HEARTBEAT_BYTES));
  const end = datagram.length - ENVELOPE_TAG_BYTES;
  writeHeartbeat(datagram, ENVELOPE_HEADER_BYTES, end, heartbeat);
  return datagram;
}

/** Writes a heartbeat into `buffer` from `at` to `end`; what follows HEARTBEAT_BYTES is padding. */
export function writeHeartbeat(
  buffer: Buffer,
  at: number,
  end: number,
  heartbeat: Readonly<Heartbeat>,
): void {
  buffer.fill(0, at, end);
  buffer[at] = KIND_HEARTBEAT;
  buffer.writeBigUInt64BE(heartbeat.receiverBootId, at + 4);
  buffer.writeUInt32BE(heartbeat.number, at + 12);
  buffer.writeUInt32BE(heartbeat.ackedNumber, at + 16);
  buffer.writeUInt32BE(heartbeat.ackedBefore, at + 20);
  buffer.writeUInt32BE(Math.min(Math.round(heartbeat.ackDelayMs * 1000), UINT32_MAX), at + 24);
  buffer.writeUIntBE(heartbeat.sentSequence, at + 28, COUNTER_BYTES);
  buffer.writeUIntBE(heartbeat.sentNumber, at + 34, COUNTER_BYTES);
  buffer.writeUIntBE(heartbeat.settledSequence, at + 40, COUNTER_BYTES);
  buffer.writeUIntBE(heartbeat.lostDatagrams, at + 46, COUNTER_BYTES);
  buffer.writeUIntBE(heartbeat.expectedNumber, at + 52, COUNTER_BYTES);
  buffer.writeUIntBE(heartbeat.lostMessages, at + 58, COUNTER_BYTES);
}

/** @param body a heartbeat body, checked by bodyKind() */
export function readHeartbeat(body: Buffer): Heartbeat {
  return {
    receiverBootId: body.readBigUInt64BE(4),
    number: body.readUInt32BE(12),
    ackedNumber: body.readUInt32BE(16),
    ackedBefore: body.readUInt32BE(20),
    ackDelayMs: body.readUInt32BE(24) / 1000,
    sentSequence: body.readUIntBE(28, COUNTER_BYTES),
    sentNumber: body.readUIntBE(34, COUNTER_BYTES),
    settledSequence: body.readUIntBE(40, COUNTER_BYTES),
    lostDatagrams: body.readUIntBE(46, COUNTER_BYTES),
    expectedNumber: body.readUIntBE(52, COUNTER_BYTES),
    lostMessages: body.readUIntBE(58, COUNTER_BYTES),
  };
}
