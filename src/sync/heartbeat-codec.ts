// The heartbeat body of the sync channel. It says what this node has sent to the peer and what it
// has received from it, so that both ends know, for each direction, whether datagrams pass and how
// many are lost. Big endian. docs/protocol.md has the same layout with a test vector.
// Invariant: readHeartbeat() reads any body of at least HEARTBEAT_BYTES without throwing.
//
//   heartbeat  offset  size  field
//                   0     1  kind, 4
//                   1     3  reserved: 0 when sent, ignored when received
//                   4     4  number of this heartbeat, from 1, +1 for each one to this peer
//                   8     4  highest number received from the peer; 0 for none
//                  12     4  bit i: the number i + 1 below that one has been received as well
//                  16     4  microseconds since that one arrived
//                  20     6  sequence of the last data datagram that was sent; 0 for none
//                  26     6  number of the first packet after that datagram
//                  32     6  sequence up to which the peer's datagrams are settled: received or lost
//                  38     6  data datagrams of the peer that are lost up to there
//                  44     6  number of the peer's next packet; 0 before the welcome
//                  50     6  messages of the peer that are lost up to there
//                  56     n  padding: makes the heartbeat a probe of the path for that size

export const HEARTBEAT_BYTES = 56;
export const KIND_HEARTBEAT = 4;

const COUNTER_BYTES = 6;
const UINT32_MAX = 0xffffffff;

export interface Heartbeat {
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

/** Writes a heartbeat into `buffer` from `at` to `end`; what follows HEARTBEAT_BYTES is padding. */
export function writeHeartbeat(
  buffer: Buffer,
  at: number,
  end: number,
  heartbeat: Readonly<Heartbeat>,
): void {
  buffer.fill(0, at, end);
  buffer[at] = KIND_HEARTBEAT;
  buffer.writeUInt32BE(heartbeat.number, at + 4);
  buffer.writeUInt32BE(heartbeat.ackedNumber, at + 8);
  buffer.writeUInt32BE(heartbeat.ackedBefore, at + 12);
  buffer.writeUInt32BE(Math.min(Math.round(heartbeat.ackDelayMs * 1000), UINT32_MAX), at + 16);
  buffer.writeUIntBE(heartbeat.sentSequence, at + 20, COUNTER_BYTES);
  buffer.writeUIntBE(heartbeat.sentNumber, at + 26, COUNTER_BYTES);
  buffer.writeUIntBE(heartbeat.settledSequence, at + 32, COUNTER_BYTES);
  buffer.writeUIntBE(heartbeat.lostDatagrams, at + 38, COUNTER_BYTES);
  buffer.writeUIntBE(heartbeat.expectedNumber, at + 44, COUNTER_BYTES);
  buffer.writeUIntBE(heartbeat.lostMessages, at + 50, COUNTER_BYTES);
}

/** @param body a heartbeat body, checked by bodyKind() */
export function readHeartbeat(body: Buffer): Heartbeat {
  return {
    number: body.readUInt32BE(4),
    ackedNumber: body.readUInt32BE(8),
    ackedBefore: body.readUInt32BE(12),
    ackDelayMs: body.readUInt32BE(16) / 1000,
    sentSequence: body.readUIntBE(20, COUNTER_BYTES),
    sentNumber: body.readUIntBE(26, COUNTER_BYTES),
    settledSequence: body.readUIntBE(32, COUNTER_BYTES),
    lostDatagrams: body.readUIntBE(38, COUNTER_BYTES),
    expectedNumber: body.readUIntBE(44, COUNTER_BYTES),
    lostMessages: body.readUIntBE(50, COUNTER_BYTES),
  };
}
