// Key and value of a shared group's register: how many members of the group one node has. Each node has
// registers of its own, so the key begins with its boot id. Big endian. docs/protocol-replication.md has
// the same. Invariant: decoding never throws.
//
//   key    boot id (16 hexadecimal digits), name of the group, U+0000, filter
//   value  members that are connected (4), members whose sessions wait for their clients (4);
//          where any may receive only a part of what the filter matches, which do not count above:
//          those of them that are connected (4), and that are not (4)

const BOOT_ID_DIGITS = 16;
const VALUE_BYTES = 8;
const VALUE_WITH_PARTS_BYTES = 16;
const BOOT_ID = /^[0-9a-f]{16}$/;

export interface MemberCounts {
  readonly online: number;
  /** Members whose clients are not connected. */
  readonly absent: number;
  /** Members that may receive only a part of what the filter matches; they count nowhere else. */
  readonly onlineInPart: number;
  readonly absentInPart: number;
}

/** What all nodes call the group. @param filter without `$share/...` */
export function groupKey(name: string, filter: string): string {
  return `${name}\0${filter}`;
}

export function registerKey(bootId: bigint, group: string): string {
  return bootId.toString(16).padStart(BOOT_ID_DIGITS, '0') + group;
}

/** @returns undefined for what is malformed */
export function parseRegisterKey(
  key: string,
): { readonly bootId: bigint; readonly group: string } | undefined {
  const digits = key.slice(0, BOOT_ID_DIGITS);
  if (!BOOT_ID.test(digits) || !key.includes('\0', BOOT_ID_DIGITS)) return undefined;
  return { bootId: BigInt(`0x${digits}`), group: key.slice(BOOT_ID_DIGITS) };
}

export function encodeCounts(counts: MemberCounts): Buffer {
  const { online, absent, onlineInPart, absentInPart } = counts;
  const hasParts = onlineInPart + absentInPart > 0;
  const value = Buffer.alloc(hasParts ? VALUE_WITH_PARTS_BYTES : VALUE_BYTES);
  value.writeUInt32BE(online, 0);
  value.writeUInt32BE(absent, 4);
  if (hasParts) {
    value.writeUInt32BE(onlineInPart, 8);
    value.writeUInt32BE(absentInPart, 12);
  }
  return value;
}

/** @returns undefined for what is malformed */
export function decodeCounts(value: Buffer): MemberCounts | undefined {
  const hasParts = value.length === VALUE_WITH_PARTS_BYTES;
  if (value.length !== VALUE_BYTES && !hasParts) return undefined;
  return {
    online: value.readUInt32BE(0),
    absent: value.readUInt32BE(4),
    onlineInPart: hasParts ? value.readUInt32BE(8) : 0,
    absentInPart: hasParts ? value.readUInt32BE(12) : 0,
  };
}
