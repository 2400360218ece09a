// The values of a node's registers of Topic Filters: what its sessions subscribe to, joined and bounded.
// One list of filters takes one to four registers, `name/0` to `name/3`. Big endian.
// docs/protocol-replication.md has the same.
// Invariants: decode never throws; a list that is not whole is no list, so that no filter is missed.
//
//   offset  size  field
//        0     4  number of the list, one more for each list of this node
//        4     1  registers of the list, 1 to 4
//        5     n  filters: length (1), UTF-8

export const FILTER_REGISTERS_MAX = 4;
const VALUE_BYTES_MAX = 1000;
const HEAD_BYTES = 5;

/** @returns the key of one of a node's registers */
export function filtersKey(nodeName: string, index: number): string {
  return `${nodeName}/${index}`;
}

/** @returns the node's name of such a key */
export function nodeOfFiltersKey(key: string): string {
  return key.slice(0, Math.max(0, key.lastIndexOf('/')));
}

/**
 * @param filters as joinFilters() returns them
 * @param list number of the list
 * @returns the values, of the registers from 0 on
 */
export function encodeFilters(filters: readonly string[], list: number): Buffer[] {
  const parts: Buffer[][] = [[]];
  let room = VALUE_BYTES_MAX - HEAD_BYTES;
  for (const filter of filters) {
    const text = Buffer.from(filter, 'utf8');
    if (text.length + 1 > room) {
      parts.push([]);
      room = VALUE_BYTES_MAX - HEAD_BYTES;
    }
    parts.at(-1)!.push(Buffer.of(text.length), text);
    room -= text.length + 1;
  }
  return parts.map((part) => {
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt32BE(list % 2 ** 32, 0);
    head[4] = parts.length;
    return Buffer.concat([head, ...part]);
  });
}

/**
 * @param values of the node's registers from 0 on; undefined for one that is not here
 * @returns undefined while the list is not whole, or if it is malformed
 */
export function decodeFilters(values: readonly (Buffer | undefined)[]): string[] | undefined {
  const first = values[0];
  if (first === undefined || first.length < HEAD_BYTES) return undefined;
  const [list, count] = [first.readUInt32BE(0), first[4]!];
  if (count === 0 || count > FILTER_REGISTERS_MAX) return undefined;
  const filters: string[] = [];
  for (let index = 0; index < count; index++) {
    const value = values[index];
    if (value === undefined || value.length < HEAD_BYTES) return undefined;
    if (value.readUInt32BE(0) !== list || value[4] !== count) return undefined;
    for (let at = HEAD_BYTES; at < value.length; ) {
      const end = at + 1 + value[at]!;
      if (end > value.length) return undefined;
      filters.push(value.toString('utf8', at + 1, end));
      at = end;
    }
  }
  return filters;
}
