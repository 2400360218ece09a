// FNV-1a, 32 bits: a fast hash for tables and caches. It resists no attacker; where a client chooses
// the bytes, the table bounds its chains. Source: draft-eastlake-fnv, section 2.

export const FNV_OFFSET_BASIS = 0x811c9dc5;
export const FNV_PRIME = 0x01000193;

/** Hash of `bytes[start, end)` as a signed 32-bit integer. */
export function fnv1a(bytes: Uint8Array, start: number, end: number): number {
  let hash = FNV_OFFSET_BASIS | 0;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, FNV_PRIME);
  return hash;
}
