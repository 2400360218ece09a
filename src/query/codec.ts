// How requests between nodes are written: as application messages of the gossip port. Knows nothing of
// what a request says. Invariant: decode never throws; what is malformed is undefined.
//
//   offset  size  field (all numbers big endian)
//        0     1  16: differs from the number of every replicated map (src/replica/codec.ts)
//        1     1  kind
//        2     4  number of the request, chosen by its sender, ascending
//
//   1 request part  6  4  size of the whole request, bytes
//                  10  2  index of this part, from 0; each but the last has PART_BYTES
//                  12  n  bytes
//   2 reply part       the same for the reply
//   3 request ack   6  2  base: parts below it have arrived
//                   8  2  limit: parts below it may be sent
//                  10  2  resend: missing parts below it are to be sent again
//                  12  8  bitmap: bit i (of the first byte first, its lowest bit first) is set if
//                         part base + i has arrived
//   4 reply ack        the same for the reply; also asks for it while there is none
//   5 done             the reply has arrived, or is not wanted any more
//   6 refusal          the receiver works on too many requests

export const QUERY_CHANNEL = 16;

const HEAD_BYTES = 6;
const PART_HEAD_BYTES = 12;
const ACK_BYTES = 20;
export const BITMAP_PARTS = 64;

const REQUEST_PART = 1;
const REPLY_PART = 2;
const REQUEST_ACK = 3;
const REPLY_ACK = 4;
const DONE = 5;
const REFUSAL = 6;

export interface Part {
  readonly totalBytes: number;
  readonly index: number;
  /** Decoded: a view into the datagram. */
  readonly bytes: Buffer;
}

export interface Ack {
  readonly base: number;
  readonly limit: number;
  readonly resend: number;
  /** Indices from base on that have arrived. */
  has(index: number): boolean;
}

export type QueryMessage =
  | ({ readonly kind: 'requestPart' | 'replyPart'; readonly id: number } & Part)
  | ({ readonly kind: 'requestAck' | 'replyAck'; readonly id: number } & Ack)
  | { readonly kind: 'done' | 'refusal'; readonly id: number };

export function isQuery(bytes: Buffer): boolean {
  return bytes[0] === QUERY_CHANNEL;
}

export function encodePart(kind: 'requestPart' | 'replyPart', id: number, part: Part): Buffer {
  const message = Buffer.alloc(PART_HEAD_BYTES + part.bytes.length);
  writeHead(message, kind === 'requestPart' ? REQUEST_PART : REPLY_PART, id);
  message.writeUInt32BE(part.totalBytes, 6);
  message.writeUInt16BE(part.index, 10);
  part.bytes.copy(message, PART_HEAD_BYTES);
  return message;
}

export function encodeAck(kind: 'requestAck' | 'replyAck', id: number, ack: Ack): Buffer {
  const message = Buffer.alloc(ACK_BYTES);
  writeHead(message, kind === 'requestAck' ? REQUEST_ACK : REPLY_ACK, id);
  message.writeUInt16BE(ack.base, 6);
  message.writeUInt16BE(ack.limit, 8);
  message.writeUInt16BE(ack.resend, 10);
  for (let bit = 0; bit < BITMAP_PARTS; bit++) {
    if (ack.has(ack.base + bit)) message[12 + (bit >> 3)]! |= 1 << (bit & 7);
  }
  return message;
}

export function encodeSignal(kind: 'done' | 'refusal', id: number): Buffer {
  const message = Buffer.alloc(HEAD_BYTES);
  writeHead(message, kind === 'done' ? DONE : REFUSAL, id);
  return message;
}

/** @returns undefined for what is malformed or of an unknown kind */
export function decodeQuery(message: Buffer): QueryMessage | undefined {
  if (message.length < HEAD_BYTES || !isQuery(message)) return undefined;
  const id = message.readUInt32BE(2);
  switch (message[1]) {
    case REQUEST_PART:
      return readPart('requestPart', id, message);
    case REPLY_PART:
      return readPart('replyPart', id, message);
    case REQUEST_ACK:
      return readAck('requestAck', id, message);
    case REPLY_ACK:
      return readAck('replyAck', id, message);
    case DONE:
      return { kind: 'done', id };
    case REFUSAL:
      return { kind: 'refusal', id };
    default:
      return undefined;
  }
}

function writeHead(message: Buffer, kind: number, id: number): void {
  message[0] = QUERY_CHANNEL;
  message[1] = kind;
  message.writeUInt32BE(id, 2);
}

function readPart(
  kind: 'requestPart' | 'replyPart',
  id: number,
  message: Buffer,
): QueryMessage | undefined {
  if (message.length < PART_HEAD_BYTES) return undefined;
  return {
    kind,
    id,
    totalBytes: message.readUInt32BE(6),
    index: message.readUInt16BE(10),
    bytes: message.subarray(PART_HEAD_BYTES),
  };
}

function readAck(
  kind: 'requestAck' | 'replyAck',
  id: number,
  message: Buffer,
): QueryMessage | undefined {
  if (message.length < ACK_BYTES) return undefined;
  const base = message.readUInt16BE(6);
  const bitmap = Buffer.from(message.subarray(12, ACK_BYTES));
  return {
    kind,
    id,
    base,
    limit: message.readUInt16BE(8),
    resend: message.readUInt16BE(10),
    has: (index) => {
      const bit = index - base;
      if (bit < 0 || bit >= BITMAP_PARTS) return false;
      return (bitmap[bit >> 3]! & (1 << (bit & 7))) !== 0;
    },
  };
}
