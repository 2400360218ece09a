// Member records and endpoints as bytes. Invariant: reading never throws and reads nothing beyond
// the given bytes; a record with a name or a number out of bounds is no record.
//
//   record    state u8 (0 alive, 1 suspect, 2 offline, 3 left), boot id (8), incarnation u32,
//             name length u8, name (UTF-8), then nothing (short form) or the detail
//   detail    flags u8 (bit 0 advertised), endpoint, age in ms u32 (2^32 - 1: that or more), metadata length u16,
//             metadata; what follows is skipped
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
/** Control characters and blanks would end up in logs; U+FFFD stands for broken UTF-8. */
const UNFIT_FOR_NAME = /[\s\p{Cc}\p{Cf}\u{fffd}]/u;

export const ENDPOINT_BYTES_MAX = 19;

export function isValidName(name: string): boolean {
  const bytes = Buffer.byteLength(name, 'utf8');
  return bytes > 0 && bytes <= NAME_BYTES_MAX && !UNFIT_FOR_NAME.test(name);
}

export function recordBytes(record: MemberRecord): Buffer {
  const name = Buffer.from(record.name, 'utf8');
  const head = Buffer.alloc(FIXED_BYTES);
  head[0] = STATES.indexOf(record.state);
  head.writeBigUInt64BE(record.bootId, 1);
  head.writeUInt32BE(record.incarnation, 9);
  head[13] = name.length;
  if (record.detail === undefined) return Buffer.concat([head, name]);
  const { address, port, isAdvertised, metadata, ageMs } = record.detail;
  const tail = Buffer.alloc(6);
  tail.writeUInt32BE(Math.min(ageMs, 0xffffffff), 0);
  tail.writeUInt16BE(metadata.length, 4);
  const flags = Buffer.from([isAdvertised ? FLAG_ADVERTISED : 0]);
  return Buffer.concat([head, name, flags, placeBytes(address, port), tail, metadata]);
}

/** @returns undefined where the bytes are no record; keeps no view into them */
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

/** @returns null where the bytes are no detail */
function readDetail(bytes: Buffer, start: number): RecordDetail | null {
  const flags = bytes[start]!;
  const place = readPlace(bytes, start + 1);
  if (place === undefined || place.end + 6 > bytes.length) return null;
  const metadataStart = place.end + 6;
  const metadataEnd = metadataStart + bytes.readUInt16BE(place.end + 4);
  if (metadataEnd > bytes.length || metadataEnd - metadataStart > METADATA_BYTES_MAX) return null;
  return {
    address: place.address,
    port: place.port,
    isAdvertised: (flags & FLAG_ADVERTISED) !== 0,
    metadata: Buffer.from(bytes.subarray(metadataStart, metadataEnd)),
    ageMs: bytes.readUInt32BE(place.end),
  };
}

export function endpointBytes(endpoint: Endpoint): Buffer {
  return placeBytes(endpoint.address, endpoint.port);
}

/** @returns undefined where no specified endpoint stands at `start` */
export function readEndpoint(
  bytes: Buffer,
  start: number,
): { endpoint: Endpoint; end: number } | undefined {
  const place = readPlace(bytes, start);
  if (place?.address === undefined) return undefined;
  return { endpoint: { address: place.address, port: place.port }, end: place.end };
}

interface Place {
  readonly address: string | undefined;
  readonly port: number;
  readonly end: number;
}

/** An address that has no bytes (an IPv6 zone) travels as unspecified. */
function placeBytes(address: string | undefined, port: number): Buffer {
  const bytes = address === undefined ? undefined : addressToBytes(address);
  const family = bytes === undefined ? 0 : bytes.length === 4 ? 4 : 6;
  const ends = [Buffer.from([family]), bytes ?? Buffer.alloc(0), Buffer.from([port >> 8, port])];
  return Buffer.concat(ends);
}

function readPlace(bytes: Buffer, start: number): Place | undefined {
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
