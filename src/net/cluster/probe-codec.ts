// The bodies of probes: datagrams that are marked in their envelope and test the way between two nodes,
// beside membership and messages. Layout in docs/protocol.md, "Probes".
// Invariants: decode never throws; an answer is never longer than what it answers.
//
//   offset  size  field (all numbers big endian)
//        0     1  kind: 1 probe, 2 answer, 3 question, 4 facts
//        1     1  of a probe: bit 0 = the answer goes to the sender's other port, from the other port
//        2     2  gossip port of the sender
//        4     2  sync port of the sender
//        6     8  nonce; of an answer or of facts: that of the probe or question
//       14     8  cookie; of an answer: for a question of this sender; of a question: such a cookie
//       22     n  of an answer: source address of the probe, as an endpoint of the gossip port
//       22     2  of a question or facts: length of the JSON text
//       24     n  JSON text in UTF-8
//              n  padding

import type { Endpoint } from '../../shared/endpoint.ts';
import type { Channel } from '../../shared/key-ring.ts';
import { ENDPOINT_BYTES_MAX, endpointBytes, readEndpoint } from '../../swim/record-codec.ts';

const PROBE_HEAD_BYTES = 22;
const TEXT_HEAD_BYTES = PROBE_HEAD_BYTES + 2;
/** Room for the answer. */
const PROBE_BYTES_MIN = PROBE_HEAD_BYTES + ENDPOINT_BYTES_MAX;

const KINDS = ['probe', 'answer', 'question', 'facts'] as const;
const FLAG_OTHER_PORT = 0x01;

export type ProbeKind = (typeof KINDS)[number];
export type Ports = Readonly<Record<Channel, number>>;

export interface ProbeBody {
  readonly kind: ProbeKind;
  readonly isCrossed: boolean;
  readonly ports: Ports;
  readonly nonce: bigint;
  readonly cookie: bigint;
  /** Of an answer. */
  readonly observed?: Endpoint | undefined;
  /** Of a question or facts. */
  readonly text?: string | undefined;
}

/** @param bytes of the body; a text that does not fit is cut to nothing */
export function encodeProbe(probe: ProbeBody, bytes: number): Buffer {
  const { kind, isCrossed, ports, nonce, cookie, observed, text = '' } = probe;
  const body = Buffer.alloc(Math.max(bytes, PROBE_BYTES_MIN));
  body[0] = KINDS.indexOf(kind) + 1;
  body[1] = isCrossed ? FLAG_OTHER_PORT : 0;
  body.writeUInt16BE(ports.gossip, 2);
  body.writeUInt16BE(ports.sync, 4);
  body.writeBigUInt64BE(nonce, 6);
  body.writeBigUInt64BE(cookie, 14);
  if (observed !== undefined) endpointBytes(observed).copy(body, PROBE_HEAD_BYTES);
  if (kind === 'question' || kind === 'facts') {
    const json = Buffer.from(text, 'utf8');
    if (TEXT_HEAD_BYTES + json.length <= body.length) {
      body.writeUInt16BE(json.length, PROBE_HEAD_BYTES);
      json.copy(body, TEXT_HEAD_BYTES);
    }
  }
  return body;
}

/** @returns undefined for what is malformed */
export function decodeProbe(body: Buffer): ProbeBody | undefined {
  const kind = KINDS[(body[0] ?? 0) - 1];
  if (kind === undefined || body.length < PROBE_BYTES_MIN) return undefined;
  const probe = {
    kind,
    isCrossed: (body[1]! & FLAG_OTHER_PORT) !== 0,
    ports: { gossip: body.readUInt16BE(2), sync: body.readUInt16BE(4) },
    nonce: body.readBigUInt64BE(6),
    cookie: body.readBigUInt64BE(14),
  };
  if (kind === 'answer') {
    return { ...probe, observed: readEndpoint(body, PROBE_HEAD_BYTES)?.endpoint };
  }
  if (kind === 'probe') return probe;
  const end = TEXT_HEAD_BYTES + body.readUInt16BE(PROBE_HEAD_BYTES);
  if (end > body.length) return undefined;
  return { ...probe, text: body.toString('utf8', TEXT_HEAD_BYTES, end) };
}
