// The largest datagram that the interface on the path to an address sends whole, for `-datagram=auto`. A
// hello of that size proves the rest of the path. Fragments are not counted on: one that is lost loses the
// whole datagram, and firewalls drop them.
// Invariant: never throws. Where the system does not say more, Ethernet is assumed.

import { readFileSync } from 'node:fs';
import { BlockList, isIPv6 } from 'node:net';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import { kernelBytes } from '../../sync/ack-codec.ts';
import {
  DATAGRAM_BYTES_DEFAULT,
  DATAGRAM_BYTES_MAX,
  DATAGRAM_SHARE_MAX,
  FALLBACK_DATAGRAM_BYTES,
} from '../../sync/limits.ts';

/** IPv6 and UDP. */
const HEADER_BYTES = 48;
const LOOPBACK = 'lo';

export interface InterfaceSource {
  interfaces(): NodeJS.Dict<NetworkInterfaceInfo[]>;
  /** @returns undefined where the system does not say */
  mtuOf(name: string): number | undefined;
}

/**
 * @param address IP literal of a peer
 * @param receiveBufferBytes of this node's socket: a peer on the same machine has hardly more
 * @returns bytes of UDP payload, one of the sizes that the sync channel uses
 */
export function datagramBytesTo(
  address: string,
  receiveBufferBytes: number,
  source: InterfaceSource = systemSource,
): number {
  const name = interfaceTo(address, source);
  const mtu = name === undefined ? undefined : source.mtuOf(name);
  if (mtu === undefined) return DATAGRAM_BYTES_DEFAULT;
  const room = mtu - HEADER_BYTES;
  const kernelBytesMax = receiveBufferBytes * DATAGRAM_SHARE_MAX;
  const sizes = [DATAGRAM_BYTES_MAX, ...FALLBACK_DATAGRAM_BYTES];
  const fits = (bytes: number) => bytes <= room && kernelBytes(bytes) <= kernelBytesMax;
  return sizes.find(fits) ?? DATAGRAM_BYTES_DEFAULT;
}

/** The interface whose network the address is in; undefined for an address behind a router. */
function interfaceTo(address: string, source: InterfaceSource): string | undefined {
  const family = isIPv6(address) ? 'ipv6' : 'ipv4';
  for (const [name, addresses] of Object.entries(listed(source))) {
    for (const { address: own, cidr } of addresses ?? []) {
      if (own === address) return LOOPBACK;
      const [network = '', prefix] = cidr?.split('/') ?? [];
      if (prefix === undefined || isIPv6(network) !== (family === 'ipv6')) continue;
      const subnet = new BlockList();
      subnet.addSubnet(network, Number(prefix), family);
      if (subnet.check(address, family)) return name;
    }
  }
  return undefined;
}

function listed(source: InterfaceSource): NodeJS.Dict<NetworkInterfaceInfo[]> {
  try {
    return source.interfaces();
  } catch {
    // The process has no file descriptor left.
    return {};
  }
}

const systemSource: InterfaceSource = {
  interfaces: networkInterfaces,
  mtuOf(name) {
    try {
      return Number(readFileSync(`/sys/class/net/${name}/mtu`, 'utf8'));
    } catch {
      return undefined;
    }
  },
};
