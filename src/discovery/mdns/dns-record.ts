// Names and resource records of DNS, and the data of the record types that a node announces. Knows nothing
// of sockets, of time, and of who owns a name. Invariant: `data` is the record's data as it is on the wire
// without compression, so that equal records have equal bytes.
// Sources: RFC 1035 3.1 and 3.3, RFC 2782 (SRV), RFC 4034 4.1 (NSEC), RFC 6763 6 (TXT).

import { addressToBytes } from '../../shared/ip-address.ts';

export const RecordType = {
  A: 1,
  CNAME: 5,
  PTR: 12,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  NSEC: 47,
  ANY: 255,
} as const;

/** Of a label, and of one string in a TXT record it is 255. RFC 1035, 2.3.4. */
export const LABEL_BYTES_MAX = 63;
const STRING_BYTES_MAX = 255;

export interface DnsRecord {
  /** Labels joined by dots; a dot or backslash inside a label follows a backslash. */
  readonly name: string;
  readonly type: number;
  readonly ttlSeconds: number;
  /** The cache-flush bit: all records of this name and type come from one owner. RFC 6762, 10.2. */
  readonly isUnique: boolean;
  readonly data: Buffer;
}

export function joinLabels(labels: readonly string[]): string {
  return labels.map((label) => label.replace(/[.\\]/g, '\\$&')).join('.');
}

export function labelsOf(name: string): string[] {
  const labels = name.match(/(?:\\[\s\S]|[^.\\])+/g) ?? [];
  return labels.map((label) => label.replace(/\\([\s\S])/g, '$1'));
}

/** The form in which names are compared: without regard to the case of ASCII letters. RFC 6762, 16. */
export function nameKey(name: string): string {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** Without compression. */
export function nameToBytes(name: string): Buffer {
  const labels = labelsOf(name).map((label) => lengthBefore(label, LABEL_BYTES_MAX));
  return Buffer.concat([...labels, Buffer.alloc(1)]);
}

/** Whether two records are the same, whatever their TTL is. */
export function isSameRecord(one: DnsRecord, other: DnsRecord): boolean {
  return isSameSet(one, other) && one.data.equals(other.data);
}

/** Whether two records have name and type in common. */
export function isSameSet(one: DnsRecord, other: DnsRecord): boolean {
  return one.type === other.type && nameKey(one.name) === nameKey(other.name);
}

/** @param address IPv4 or IPv6 literal */
export function addressRecord(name: string, address: string, ttlSeconds: number): DnsRecord {
  const data = addressToBytes(address) ?? Buffer.alloc(4);
  const type = data.length === 4 ? RecordType.A : RecordType.AAAA;
  return { name, type, ttlSeconds, isUnique: true, data };
}

/** Shared by all that offer the service: each has one of its own. */
export function pointerRecord(name: string, target: string, ttlSeconds: number): DnsRecord {
  const data = nameToBytes(target);
  return { name, type: RecordType.PTR, ttlSeconds, isUnique: false, data };
}

export function serviceRecord(
  name: string,
  { host, port }: { readonly host: string; readonly port: number },
  ttlSeconds: number,
): DnsRecord {
  // Priority and weight are 0: the service has one host.
  const head = Buffer.alloc(6);
  head.writeUInt16BE(port, 4);
  const data = Buffer.concat([head, nameToBytes(host)]);
  return { name, type: RecordType.SRV, ttlSeconds, isUnique: true, data };
}

/** @param strings as `key=value`; none is written as one empty string */
export function textRecord(
  name: string,
  strings: readonly string[],
  ttlSeconds: number,
): DnsRecord {
  const parts = (strings.length === 0 ? [''] : strings).map((text) =>
    lengthBefore(text, STRING_BYTES_MAX),
  );
  return { name, type: RecordType.TXT, ttlSeconds, isUnique: true, data: Buffer.concat(parts) };
}

/** States which types a name has, and so which it has not. RFC 6762, 6.1. @param types below 256 */
export function absenceRecord(
  name: string,
  types: readonly number[],
  ttlSeconds: number,
): DnsRecord {
  const bits = Buffer.alloc(Math.floor(Math.max(...types) / 8) + 1);
  for (const type of types) bits[type >> 3]! |= 0x80 >> (type & 7);
  const data = Buffer.concat([nameToBytes(name), Buffer.from([0, bits.length]), bits]);
  return { name, type: RecordType.NSEC, ttlSeconds, isUnique: true, data };
}

/** The name in the data of a PTR or SRV record, as a key; undefined for other types. */
export function targetKey({ type, data }: DnsRecord): string | undefined {
  if (type !== RecordType.PTR && type !== RecordType.SRV) return undefined;
  const labels: string[] = [];
  let offset = type === RecordType.SRV ? 6 : 0;
  for (let length = data[offset]; length; length = data[offset]) {
    labels.push(data.toString('utf8', offset + 1, offset + 1 + length));
    offset += 1 + length;
  }
  return nameKey(joinLabels(labels));
}

/** Longer texts lose their end. */
function lengthBefore(text: string, bytesMax: number): Buffer {
  const bytes = Buffer.from(text).subarray(0, bytesMax);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}
