// The bodies of gossip datagrams. Knows nothing of the purpose of a message, nor of the envelope
// around it. Invariants: decoding never throws and returns undefined for malformed bodies; unknown
// sections and trailing fields are skipped, so that newer versions can add some.
//
//   offset  size  field (all numbers big endian)
//        0     1  kind
//        1     1  flags: bit 0 indirect ack, bit 1 last page
//        2     4  incarnation of the sender
//        6     4  sequence, repeated in the answer; 0 if no answer is expected
//       10     8  hash of the sender's member table; in a challenge: the nonce to echo
//       18     n  sections, each: type u8, length u16, value
//
//   section   value
//   1 nonce     8 bytes, to be echoed by a receiver whose boot the sender has not validated yet
//   2 echo      8 bytes, the nonce of the receiver
//   3 observed  endpoint: the source address at which the sender sees the receiver
//   4 target    boot id (8), endpoint: the member to ping on behalf of the sender
//   5 cursor    member name after which the next page of a state sync begins
//   6 record    see record-codec.ts
//   8 cluster   name of the sender's cluster, beside a nonce: readable for a node with another token
//   7 application  bytes of the application; this module does not read them
//   255 padding any bytes, ignored: lets the answer be longer than the rest of the body

import type { Endpoint } from '../shared/endpoint.ts';
import { type MemberRecord, NAME_BYTES_MAX } from './record.ts';
import {
  ENDPOINT_BYTES_MAX,
  endpointBytes,
  readEndpoint,
  readRecord,
  recordBytes,
} from './record-codec.ts';

export type MessageKind =
  | 'ping'
  | 'ack'
  | 'pingReq'
  | 'nack'
  | 'challenge'
  | 'gossip'
  | 'pull'
  | 'page'
  | 'application';

const KINDS: readonly (MessageKind | undefined)[] = [
  undefined,
  'ping',
  'ack',
  'pingReq',
  'nack',
  'challenge',
  'gossip',
  'pull',
  'page',
  'application',
];

export interface PingTarget {
  readonly bootId: bigint;
  readonly endpoint: Endpoint;
}

export interface MessageHead {
  readonly kind: MessageKind;
  /** An ack of a ping-req: the target answered the helper that sends this. */
  readonly isIndirect: boolean;
  /** The last page of a state sync. */
  readonly isLast: boolean;
  readonly incarnation: number;
  readonly sequence: number;
  /** In a challenge: the nonce to echo. */
  readonly tableHash: bigint;
}

export interface GossipMessage extends MessageHead {
  readonly nonce: bigint | undefined;
  readonly echo: bigint | undefined;
  readonly observed: Endpoint | undefined;
  readonly target: PingTarget | undefined;
  readonly cursor: string | undefined;
  readonly records: readonly MemberRecord[];
  /** Name of the sender's cluster; undefined in most messages. */
  readonly cluster: string | undefined;
  /** A view into the body. */
  readonly application: Buffer | undefined;
  /** Size of the whole body. */
  readonly bodyBytes: number;
}

const HEAD_BYTES = 18;
/** More records than fit into the largest datagram; a body with more is malformed. */
const RECORDS_MAX = 128;

const FLAG_INDIRECT = 0x01;
const FLAG_LAST = 0x02;

const SECTION_HEAD_BYTES = 3;
/** What a body with one section takes beside the section's value. */
export const MESSAGE_OVERHEAD_BYTES = HEAD_BYTES + SECTION_HEAD_BYTES;
const NONCE = 1;
const ECHO = 2;
const OBSERVED = 3;
const TARGET = 4;
const CURSOR = 5;
const RECORD = 6;
const APPLICATION = 7;
const CLUSTER = 8;
const PADDING = 255;

/** Writes one body; a section that does not fit is refused and leaves the body unchanged. */
export class BodyWriter {
  readonly #buffer: Buffer;
  #end = HEAD_BYTES;

  constructor(head: MessageHead, bytesMax: number) {
    this.#buffer = Buffer.allocUnsafe(bytesMax);
    this.#buffer[0] = KINDS.indexOf(head.kind);
    this.#buffer[1] = (head.isIndirect ? FLAG_INDIRECT : 0) | (head.isLast ? FLAG_LAST : 0);
    this.#buffer.writeUInt32BE(head.incarnation, 2);
    this.#buffer.writeUInt32BE(head.sequence, 6);
    this.#buffer.writeBigUInt64BE(head.tableHash, 10);
  }

  nonce(value: bigint): this {
    this.#section(NONCE, u64(value));
    return this;
  }

  echo(value: bigint): this {
    this.#section(ECHO, u64(value));
    return this;
  }

  observed(endpoint: Endpoint): this {
    this.#section(OBSERVED, endpointBytes(endpoint));
    return this;
  }

  target(target: PingTarget): this {
    this.#section(TARGET, Buffer.concat([u64(target.bootId), endpointBytes(target.endpoint)]));
    return this;
  }

  cursor(name: string): this {
    this.#section(CURSOR, Buffer.from(name, 'utf8'));
    return this;
  }

  cluster(name: string): this {
    this.#section(CLUSTER, Buffer.from(name, 'utf8'));
    return this;
  }

  /** @returns false if it does not fit */
  application(bytes: Buffer): boolean {
    return this.#section(APPLICATION, bytes);
  }

  /** @returns false if it does not fit */
  record(record: MemberRecord): boolean {
    return this.#section(RECORD, recordBytes(record));
  }

  /** Makes the body at least this long, if it may be. */
  pad(bytes: number): void {
    const missing = bytes - this.#end - SECTION_HEAD_BYTES;
    if (missing > 0) this.#section(PADDING, Buffer.alloc(missing));
  }

  /** True while the body has no sections. */
  get isEmpty(): boolean {
    return this.#end === HEAD_BYTES;
  }

  /** @returns the body, which belongs to the caller */
  finish(): Buffer {
    return this.#buffer.subarray(0, this.#end);
  }

  #section(type: number, value: Buffer): boolean {
    const end = this.#end + SECTION_HEAD_BYTES + value.length;
    if (end > this.#buffer.length) return false;
    this.#buffer[this.#end] = type;
    this.#buffer.writeUInt16BE(value.length, this.#end + 1);
    value.copy(this.#buffer, this.#end + SECTION_HEAD_BYTES);
    this.#end = end;
    return true;
  }
}

/** @returns undefined for a malformed body; the records hold copies of their metadata */
export function decodeMessage(body: Buffer): GossipMessage | undefined {
  if (body.length < HEAD_BYTES) return undefined;
  const kind = KINDS[body[0]!];
  if (kind === undefined) return undefined;
  const flags = body[1]!;
  const sections = readSections(body);
  if (sections === undefined) return undefined;
  return {
    kind,
    isIndirect: (flags & FLAG_INDIRECT) !== 0,
    isLast: (flags & FLAG_LAST) !== 0,
    incarnation: body.readUInt32BE(2),
    sequence: body.readUInt32BE(6),
    tableHash: body.readBigUInt64BE(10),
    ...sections,
    bodyBytes: body.length,
  };
}

type Sections = Omit<GossipMessage, keyof MessageHead | 'bodyBytes'>;
type Draft = { -readonly [Key in keyof Sections]: Sections[Key] } & { records: MemberRecord[] };

function readSections(body: Buffer): Sections | undefined {
  const draft: Draft = {
    nonce: undefined,
    echo: undefined,
    observed: undefined,
    target: undefined,
    cursor: undefined,
    records: [],
    cluster: undefined,
    application: undefined,
  };
  let at = HEAD_BYTES;
  while (at < body.length) {
    if (at + SECTION_HEAD_BYTES > body.length) return undefined;
    const type = body[at]!;
    const start = at + SECTION_HEAD_BYTES;
    at = start + body.readUInt16BE(at + 1);
    if (at > body.length || !readSection(type, body.subarray(start, at), draft)) return undefined;
  }
  return draft;
}

function readSection(type: number, value: Buffer, draft: Draft): boolean {
  switch (type) {
    case NONCE:
      draft.nonce = readU64(value);
      return draft.nonce !== undefined;
    case ECHO:
      draft.echo = readU64(value);
      return draft.echo !== undefined;
    case OBSERVED:
      draft.observed = readEndpoint(value, 0)?.endpoint;
      return draft.observed !== undefined;
    case TARGET:
      draft.target = readTarget(value);
      return draft.target !== undefined;
    case CURSOR:
      draft.cursor = value.toString('utf8');
      return value.length <= NAME_BYTES_MAX;
    case RECORD: {
      const record = readRecord(value);
      if (record === undefined || draft.records.length >= RECORDS_MAX) return false;
      draft.records.push(record);
      return true;
    }
    case CLUSTER:
      draft.cluster = value.toString('utf8');
      return value.length <= NAME_BYTES_MAX;
    case APPLICATION:
      draft.application = value;
      return true;
    default:
      return true;
  }
}

function readTarget(value: Buffer): PingTarget | undefined {
  if (value.length < 8 || value.length > 8 + ENDPOINT_BYTES_MAX) return undefined;
  const endpoint = readEndpoint(value, 8)?.endpoint;
  return endpoint === undefined ? undefined : { bootId: value.readBigUInt64BE(0), endpoint };
}

function u64(value: bigint): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}

function readU64(value: Buffer): bigint | undefined {
  return value.length === 8 ? value.readBigUInt64BE(0) : undefined;
}
