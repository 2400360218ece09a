// Member records and endpoints as bytes. Invariant: reading never throws and never goes beyond the
// given bytes; a record with a name or a number out of bounds is rejected.
//
//   record    state u8 (0 alive, 1 suspect, 2 offline, 3 left), boot id (8), incarnation u32,
//             name length u8, name (UTF-8), then nothing (short form) or the detail
//   detail    flags u8 (bit 0 advertised), endpoint, age in ms u32 (2^32 - 1: that or more),
//             metadata length u16, metadata; further bytes are skipped
//   endpoint  family u8 (0 unspecified, 4, 6), address (0, 4 or 16), port u16

import type { Endpoint } from '../shared/endpoint.ts';
import { addressToBytes, bytesToAddress } from '../shared/ip-address.ts';
import {
  METADATA_BYTES_MAX,
  type MemberRecord,
  type MemberState,
  NAME_BYTES_MAX,
  type RecordDetail,
} from './record.ts';

const STATES: readonly MemberState[] = ['alive', 'suspect', 'offline', 'left'];
const FLAG_ADVERTISED = 0x01;
const FIXED_BYTES = 14;
/** Blanks and control characters would garble logs; U+FFFD comes from broken UTF-8. */
const FORBIDDEN_IN_NAMES = /[\s\p{Cc}\p{Cf}\u{fffd}]/u;

export const ENDPOINT_BYTES_MAX = 19;

export function isValidName(name: string): boolean {
  const bytes = Buffer.byteLength(name, 'utf8');
  return bytes > 0 && bytes <= NAME_BYTES_MAX && !FORBIDDEN_IN_NAMES.test(name);
}

export function recordBytes(record: MemberRecord): Buffer {
  const name = Buffer.from(record.name, 'utf8');
  const head = Buffer.allocUnsafe(FIXED_BYTES);
  head[0] = STATES.indexOf(record.state);
  head.writeBigUInt64BE(record.bootId, 1);
  head.writeUInt32BE(record.incarnation, 9);
  head[13] = name.length;
  if (record.detail === undefined) return Buffer.concat([head, name]);
  const { address, port, isAdvertised, metadata, ageMs } = record.detail;
  const tail = Buffer.allocUnsafe(6);
  tail.writeUInt32BE(Math.min(ageMs, 0xffffffff), 0);
  tail.writeUInt16BE(metadata.length, 4);
  const flags = Buffer.from([isAdvertised ? FLAG_ADVERTISED : 0]);
  return Buffer.concat([head, name, flags, addressPortBytes(address, port), tail, metadata]);
}

/** @returns undefined for malformed bytes; the record holds no view into `bytes` */
export function readRecord(bytes: Buffer): MemberRecord | undefined {
  if (bytes.length < FIXED_BYTES) return undefined;
  const state = STATES[bytes[0]!];
  const nameEnd = FIXED_BYTES + bytes[13]!;
  if (state === undefined || nameEnd > bytes.length) return undefined;
  const name = bytes.toString('utf8', FIXED_BYTES, nameEnd);
  if (!isValidName(name)) return undefined;
  const detail = nameEnd === bytes.length ? undefined : readDetail(bytes, nameEnd);
  if (detail === null) return undefined;
  return {
    name,
    bootId: bytes.readBigUInt64BE(1),
    incarnation: bytes.readUInt32BE(9),
    state,
    detail,
  };
}

/** @returns null for malformed bytes */
function readDetail(bytes: Buffer, start: number): RecordDetail | null {
  const flags = bytes[start]!;
  const found = readAddressPort(bytes, start + 1);
  if (found === undefined || found.end + 6 > bytes.length) return null;
  const metadataStart = found.end + 6;
  const metadataEnd = metadataStart + bytes.readUInt16BE(found.end + 4);
  if (metadataEnd > bytes.length || metadataEnd - metadataStart > METADATA_BYTES_MAX) return null;
  return {
    address: found.address,
    port: found.port,
    isAdvertised: (flags & FLAG_ADVERTISED) !== 0,
    metadata: Buffer.from(bytes.subarray(metadataStart, metadataEnd)),
    ageMs: bytes.readUInt32BE(found.end),
  };
}

export function endpointBytes(endpoint: Endpoint): Buffer {
  return addressPortBytes(endpoint.address, endpoint.port);
}

/** @returns undefined for a malformed or unspecified endpoint */
export function readEndpoint(
  bytes: Buffer,
  start: number,
): { endpoint: Endpoint; end: number } | undefined {
  const found = readAddressPort(bytes, start);
  if (found?.address === undefined) return undefined;
  return { endpoint: { address: found.address, port: found.port }, end: found.end };
}

interface AddressPort {
  readonly address: string | undefined;
  readonly port: number;
  readonly end: number;
}

/** An address with an IPv6 zone has no bytes and travels as unspecified. */
function addressPortBytes(address: string | undefined, port: number): Buffer {
  const bytes = address === undefined ? undefined : addressToBytes(address);
  const family = bytes === undefined ? 0 : bytes.length === 4 ? 4 : 6;
  const ends = [Buffer.from([family]), bytes ?? Buffer.alloc(0), Buffer.from([port >> 8, port])];
  return Buffer.concat(ends);
}

function readAddressPort(bytes: Buffer, start: number): AddressPort | undefined {
  if (start >= bytes.length) return undefined;
  const family = bytes[start]!;
  if (family !== 0 && family !== 4 && family !== 6) return undefined;
  const addressStart = start + 1;
  const portStart = addressStart + (family === 0 ? 0 : family === 4 ? 4 : 16);
  const end = portStart + 2;
  if (end > bytes.length) return undefined;
  const port = bytes.readUInt16BE(portStart);
  if (port === 0) return undefined;
  const address =
    family === 0 ? undefined : bytesToAddress(bytes.subarray(addressStart, portStart));
  return { address, port, end };
}
