// The PROXY protocol's header (haproxy.org, proxy-protocol.txt, sections 2.1 and 2.2), in which a load
// balancer sends the client's address ahead of the client's bytes. Strict: refuses everything that
// the text does not allow. Pure; never throws.
//
//   version 1:  PROXY TCP4 203.0.113.7 192.0.2.1 40000 1883 CR LF   or   PROXY UNKNOWN ... CR LF
//   version 2:  12 bytes of signature
//               1  version (high half, 2) and command (0 LOCAL, 1 PROXY)
//               1  family (1 IPv4, 2 IPv6, 3 Unix) and transport (1 stream)
//               2  length of what follows: addresses, ports, then TLVs

import { isIPv4, isIPv6 } from 'node:net';
import type { Endpoint } from '../../shared/endpoint.ts';
import { bytesToAddress, normalAddress } from '../../shared/ip-address.ts';

/** The longest line that section 2.1 allows, CR LF included. */
const LINE_BYTES_MAX = 107;
/** Far more than the addresses and the TLVs that balancers are known to send. */
const BODY_BYTES_MAX = 2048;
const FIXED_BYTES = 16;

const SIGNATURE = Buffer.from([13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10]);
const LINE_START = Buffer.from('PROXY ');
const COMMAND_LOCAL = 0x20;
const COMMAND_PROXY = 0x21;
const UNSPECIFIED = 0x00;
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;
const UNIX_STREAM = 0x31;
const IPV4_BLOCK_BYTES = 12;
const IPV6_BLOCK_BYTES = 36;
const UNIX_BLOCK_BYTES = 216;

export interface ProxyHeader {
  /** Length of the header; the client's bytes follow. */
  readonly bytes: number;
  /** Undefined where the balancer connects for itself (health checks) or doesn't know the client. */
  readonly source: Endpoint | undefined;
}

/** @param bytes all that the connection has received so far */
export function parseProxyHeader(bytes: Buffer): ProxyHeader | 'incomplete' | 'invalid' {
  if (startsLike(bytes, SIGNATURE)) return parseBinary(bytes);
  if (startsLike(bytes, LINE_START)) return parseLine(bytes);
  return 'invalid';
}

function startsLike(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.compare(start, 0, length, 0, length) === 0;
}

function parseLine(bytes: Buffer): ProxyHeader | 'incomplete' | 'invalid' {
  const end = bytes.subarray(0, LINE_BYTES_MAX).indexOf('\r\n');
  if (end === -1) return bytes.length < LINE_BYTES_MAX ? 'incomplete' : 'invalid';
  const line = bytes.toString('latin1', LINE_START.length, end);
  const length = end + 2;
  if (line === 'UNKNOWN' || line.startsWith('UNKNOWN '))
    return { bytes: length, source: undefined };
  const [family, source = '', destination = '', sourcePort, destinationPort, ...more] =
    line.split(' ');
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isIPv6 : () => false;
  if (more.length > 0 || !isAddress(source) || !isAddress(destination)) return 'invalid';
  const address = normalAddress(source);
  const port = portOf(sourcePort);
  if (address === undefined || port === undefined || portOf(destinationPort) === undefined) {
    return 'invalid';
  }
  return { bytes: length, source: { address, port } };
}

function portOf(text = ''): number | undefined {
  if (!/^(0|[1-9]\d{0,4})$/.test(text)) return undefined;
  const port = Number(text);
  return port <= 65_535 ? port : undefined;
}

function parseBinary(bytes: Buffer): ProxyHeader | 'incomplete' | 'invalid' {
  if (bytes.length < FIXED_BYTES) return 'incomplete';
  const command = bytes.readUInt8(12);
  const family = bytes.readUInt8(13);
  const bodyBytes = bytes.readUInt16BE(14);
  if (command !== COMMAND_LOCAL && command !== COMMAND_PROXY) return 'invalid';
  if (bodyBytes > BODY_BYTES_MAX) return 'invalid';
  const length = FIXED_BYTES + bodyBytes;
  if (bytes.length < length) return 'incomplete';
  const withoutSource = { bytes: length, source: undefined };
  if (command === COMMAND_LOCAL) return withoutSource;
  const block = bytes.subarray(FIXED_BYTES, length);
  switch (family) {
    case UNSPECIFIED:
      return withoutSource;
    case UNIX_STREAM:
      return block.length >= UNIX_BLOCK_BYTES ? withoutSource : 'invalid';
    case TCP_OVER_IPV4:
      if (block.length < IPV4_BLOCK_BYTES) return 'invalid';
      return { bytes: length, source: sourceOf(block.subarray(0, 4), block.readUInt16BE(8)) };
    case TCP_OVER_IPV6:
      if (block.length < IPV6_BLOCK_BYTES) return 'invalid';
      return { bytes: length, source: sourceOf(block.subarray(0, 16), block.readUInt16BE(32)) };
    default:
      return 'invalid';
  }
}

function sourceOf(address: Buffer, port: number): Endpoint {
  return { address: bytesToAddress(address), port };
}
