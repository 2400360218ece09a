// IP addresses as bytes and as text, written as inet_ntop writes them (RFC 5952), so that an
// address read from the wire equals the one that the socket reports. Pure: no DNS, no node:net.

/** @returns 4 or 16 bytes; undefined for anything else, and for an address with a zone (%eth0) */
export function addressToBytes(text: string): Buffer | undefined {
  return text.includes(':') ? ipv6ToBytes(text) : ipv4ToBytes(text);
}

/** @param bytes 4 or 16 of them; an IPv4-mapped address comes out as plain IPv4 */
export function bytesToAddress(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2));
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return bytes.subarray(12).join('.');
  }
  return compressed(groups);
}

/** The one text form of an address, or undefined where it is none. */
export function normalAddress(text: string): string | undefined {
  const bytes = addressToBytes(text);
  return bytes === undefined ? undefined : bytesToAddress(bytes);
}

/** The last question of sourceOf() and its answer: one CONNECT asks it up to five times. */
let lastAddress = '';
let lastSource = '';

/**
 * The source that an address belongs to. One host may use every address of an IPv6 /64, so these count
 * as one source.
 * @param ipv4Bits IPv4 addresses that agree in these bits count as one source, too
 */
export function sourceOf(address: string, ipv4Bits = 32): string {
  if (ipv4Bits < 32) return computeSource(address, ipv4Bits);
  if (address !== lastAddress) {
    lastSource = computeSource(address, ipv4Bits);
    lastAddress = address;
  }
  return lastSource;
}

function computeSource(address: string, ipv4Bits: number): string {
  const bytes = addressToBytes(address);
  if (bytes === undefined) return address;
  const normal = bytesToAddress(bytes);
  if (!normal.includes(':')) {
    return ipv4Bits < 32 ? ipv4Network(bytes.subarray(-4), ipv4Bits) : normal;
  }
  return `${bytesToAddress(Buffer.concat([bytes.subarray(0, 8), Buffer.alloc(8)]))}/64`;
}

/** Whether two addresses of one family agree in their first bits. False for what is no address. */
export function isSameNetwork(one: string, other: string, prefixBits: number): boolean {
  const [a, b] = [addressToBytes(one), addressToBytes(other)];
  if (a === undefined || b === undefined || a.length !== b.length) return false;
  return a.every((byte, index) => {
    const bits = Math.min(8, Math.max(0, prefixBits - 8 * index));
    return (byte ^ b[index]!) >> (8 - bits) === 0;
  });
}

function ipv4Network(address: Buffer, bits: number): string {
  const mask = bits === 0 ? 0 : (0xffffffff << (32 - bits)) >>> 0;
  const network = Buffer.alloc(4);
  network.writeUInt32BE((address.readUInt32BE() & mask) >>> 0);
  return `${bytesToAddress(network)}/${bits}`;
}

function ipv4ToBytes(text: string): Buffer | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  const numbers = parts.map((part) => (/^\d{1,3}$/.test(part) ? Number(part) : 256));
  return numbers.every((number) => number < 256) ? Buffer.from(numbers) : undefined;
}

function ipv6ToBytes(text: string): Buffer | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = groupsOf(halves[0]!);
  const tail = halves.length === 2 ? groupsOf(halves[1]!) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const bytes = Buffer.alloc(16);
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  for (const [index, group] of groups.entries()) bytes.writeUInt16BE(group, index * 2);
  return bytes;
}

function groupsOf(text: string): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (index === parts.length - 1 && part.includes('.')) {
      const embedded = ipv4ToBytes(part);
      if (embedded === undefined) return undefined;
      groups.push(embedded.readUInt16BE(0), embedded.readUInt16BE(2));
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16));
    } else {
      return undefined;
    }
  }
  return groups.length <= 8 ? groups : undefined;
}

/** The longest run of two or more zero groups becomes `::`. */
function compressed(groups: readonly number[]): string {
  let bestStart = -1;
  let bestLength = 1;
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (start + length < groups.length && groups[start + length] === 0) length += 1;
    if (length > bestLength) {
      bestStart = start;
      bestLength = length;
    }
  }
  const hex = groups.map((group) => group.toString(16));
  if (bestStart < 0) return hex.join(':');
  return `${hex.slice(0, bestStart).join(':')}::${hex.slice(bestStart + bestLength).join(':')}`;
}

/** An IPv6 address that has a meaning on one interface alone, as systems and people write it. RFC 4291, 2.5.6. */
export function isLinkLocal(address: string): boolean {
  return address.toLowerCase().startsWith('fe80:');
}
