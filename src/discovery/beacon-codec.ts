// The inner layout of a beacon: the datagram by which nodes of one token find each other on a LAN. Knows
// nothing of its encryption. Invariants: every beacon has the same length, whatever it says; decodeBeacon()
// never throws.
//
//   offset  size  field
//        0     1  kind: 1 = call ("who is there?"), 2 = answer
//        1     1  reserved, 0; ignored by a receiver
//        2     2  gossip port of the sender, big endian
//        4    16  address of the sender on this link; IPv4 as ::ffff:a.b.c.d
//       20     8  boot id of the sender
//       28     8  counter of the sender, big endian: increases with each call
//       36     8  nonce: of a call its own, of an answer that of the call
//       44     4  reserved, 0; ignored by a receiver

import type { Endpoint } from '../shared/endpoint.ts';
import { addressToBytes, bytesToAddress } from '../shared/ip-address.ts';

export const BEACON_BODY_BYTES = 48;

const KINDS = ['call', 'answer'] as const;
const ADDRESS_BYTES = 16;
/** Of an IPv4 address inside an IPv6 one. */
const MAPPED_PREFIX = Buffer.from('00000000000000000000ffff', 'hex');

export interface BeaconMessage {
  readonly kind: (typeof KINDS)[number];
  /** Where the sender's gossip port is reached on this link. */
  readonly endpoint: Endpoint;
  readonly bootId: bigint;
  readonly counter: bigint;
  readonly nonce: bigint;
}

export function encodeBeacon(message: BeaconMessage): Buffer {
  const body = Buffer.alloc(BEACON_BODY_BYTES);
  body[0] = KINDS.indexOf(message.kind) + 1;
  body.writeUInt16BE(message.endpoint.port, 2);
  const address = addressToBytes(message.endpoint.address) ?? Buffer.alloc(ADDRESS_BYTES);
  if (address.length < ADDRESS_BYTES) MAPPED_PREFIX.copy(body, 4);
  address.copy(body, 4 + ADDRESS_BYTES - address.length);
  body.writeBigUInt64BE(message.bootId, 20);
  body.writeBigUInt64BE(message.counter, 28);
  body.writeBigUInt64BE(message.nonce, 36);
  return body;
}

/** @returns undefined if it is no beacon of this version, or names no port */
export function decodeBeacon(body: Buffer): BeaconMessage | undefined {
  if (body.length !== BEACON_BODY_BYTES) return undefined;
  const kind = KINDS[body[0]! - 1];
  const port = body.readUInt16BE(2);
  if (kind === undefined || port === 0) return undefined;
  return {
    kind,
    endpoint: { address: bytesToAddress(body.subarray(4, 4 + ADDRESS_BYTES)), port },
    bootId: body.readBigUInt64BE(20),
    counter: body.readBigUInt64BE(28),
    nonce: body.readBigUInt64BE(36),
  };
}
