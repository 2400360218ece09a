// The networks of this machine that other boxes may share: one entry for each address of an interface that
// is up. Invariant: at most LINKS_MAX, whatever a machine with containers has; listing never throws.

import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import type { Link } from '../../discovery/beacon.ts';
import {
  addressToBytes,
  bytesToAddress,
  isLinkLocal,
  normalAddress,
} from '../../shared/ip-address.ts';

export interface HostLink extends Link {
  readonly interfaceName: string;
  /** How the system names the interface behind `%` in an address. */
  readonly zone: string;
  readonly isIpv6: boolean;
  /** Undefined for IPv6, and for a network of two addresses. */
  readonly broadcast: string | undefined;
}

export const LINKS_MAX = 32;
/** Smaller networks have no address for broadcast. RFC 3021. */
const BROADCAST_PREFIX_MAX = 30;

/**
 * Loopback has no other boxes, and membership does not go by link-local IPv6 addresses, which mean nothing
 * on another interface.
 * @param bind of -bind; undefined = all addresses
 */
export function listLinks(
  bind: string | undefined,
  list: typeof networkInterfaces = networkInterfaces,
  platform: string = process.platform,
): HostLink[] {
  let interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>;
  try {
    interfaces = list();
  } catch {
    // No file descriptor is left. The next time is soon.
    return [];
  }
  const wanted = bind === undefined ? undefined : normalAddress(bind);
  const links = Object.entries(interfaces).flatMap(([interfaceName, addresses = []]) => {
    const scopes = addresses.map((one) => (one.family === 'IPv6' ? one.scopeid : 0));
    const zone = platform === 'win32' ? `${Math.max(0, ...scopes)}` : interfaceName;
    return addresses.filter(isUsable).map((one) => linkOf(one, interfaceName, zone));
  });
  return links
    .filter(({ address }) => wanted === undefined || normalAddress(address) === wanted)
    .slice(0, LINKS_MAX);
}

function isUsable({ internal, address, cidr }: NetworkInterfaceInfo): boolean {
  return !internal && cidr !== null && !isLinkLocal(address);
}

function linkOf(info: NetworkInterfaceInfo, interfaceName: string, zone: string): HostLink {
  const { address, family, cidr } = info;
  const prefixBits = Number(cidr?.split('/')[1]);
  const isIpv6 = family === 'IPv6';
  const broadcast = isIpv6 ? undefined : broadcastOf(address, prefixBits);
  return { interfaceName, zone, address, prefixBits, isIpv6, broadcast };
}

function broadcastOf(address: string, prefixBits: number): string | undefined {
  const bytes = addressToBytes(address);
  if (bytes === undefined || prefixBits > BROADCAST_PREFIX_MAX) return undefined;
  const hosts = 2 ** (32 - prefixBits) - 1;
  const all = Buffer.alloc(4);
  all.writeUInt32BE((bytes.readUInt32BE() | hosts) >>> 0);
  return bytesToAddress(all);
}
