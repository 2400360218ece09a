// CRC-32 (ISO 3309, as in zlib): Node's own where it exists (20.15, 22.2), else computed by table.

import * as zlib from 'node:zlib';

const POLYNOMIAL = 0xedb88320;
let table: Uint32Array | undefined;

/** @param seed the CRC of the preceding bytes; 0 at the start */
export function crc32ByTable(bytes: Buffer, seed = 0): number {
  table ??= makeTable();
  let crc = ~seed;
  for (let i = 0; i < bytes.length; i++) crc = table[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

export const crc32: typeof crc32ByTable = zlib.crc32 ?? crc32ByTable;

function makeTable(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, index) => {
    let value = index;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? POLYNOMIAL ^ (value >>> 1) : value >>> 1;
    return value;
  });
}
