// The address at which other machines most probably reach this one, for the lines that a person reads and
// copies. A peer that sees this node knows better. Sends nothing and never throws.

import { createSocket } from 'node:dgram';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import { isLoopback } from '../shared/endpoint.ts';

/** Addresses for documentation (RFC 5737, RFC 3849): a route to them is the default route. */
const FAR_AWAY = { udp4: '198.51.100.1', udp6: '2001:db8::1' } as const;
const DISCARD_PORT = 9;
const LOOPBACK = '127.0.0.1';
/** Interfaces of containers and virtual machines, which other boxes do not reach. */
const VIRTUAL = /^(docker|br-|veth|virbr|cni|flannel|cali|vmnet|vboxnet|lxc|podman)/;

export interface HostNetwork {
  /** The own address on the default route of the family; undefined if there is none. */
  routed(family: 'udp4' | 'udp6'): Promise<string | undefined>;
  /** @throws as os.networkInterfaces() does: the system opens a socket for the list */
  list: typeof networkInterfaces;
}

const system: HostNetwork = { routed: routedAddress, list: networkInterfaces };

/** That of the default route's interface, else the first of a network card, IPv4 preferred; else loopback. */
export async function findHostAddress(host: HostNetwork = system): Promise<string> {
  const routed = await host.routed('udp4');
  return routed ?? listedAddress(host.list, 'IPv4') ?? (await findIpv6(host)) ?? LOOPBACK;
}

async function findIpv6({ routed, list }: HostNetwork): Promise<string | undefined> {
  return (await routed('udp6')) ?? listedAddress(list, 'IPv6');
}

function listedAddress(
  list: typeof networkInterfaces,
  wanted: 'IPv4' | 'IPv6',
): string | undefined {
  let found: (readonly [string, NetworkInterfaceInfo])[] = [];
  try {
    found = Object.entries(list()).flatMap(([name, all = []]) =>
      all.map((info) => [name, info] as const),
    );
  } catch {
    // Without a free descriptor the node runs all the same.
  }
  const usable = found.filter(
    ([, { family, internal, address }]) =>
      family === wanted && !internal && !/^(fe80:|169\.254\.)/i.test(address),
  );
  const [, best] = usable.find(([name]) => !VIRTUAL.test(name)) ?? usable[0] ?? [];
  return best?.address;
}

/** Connecting a UDP socket chooses its own address by the route, and sends nothing. */
function routedAddress(family: 'udp4' | 'udp6'): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(family);
    const end = (address: string | undefined): void => {
      socket.close();
      resolve(address);
    };
    socket.once('error', () => end(undefined));
    // Node gives the callback the error, which its types do not say.
    socket.connect(DISCARD_PORT, FAR_AWAY[family], (error?: unknown) => {
      const address = error ? undefined : socket.address().address;
      end(address !== undefined && isLoopback(address) ? undefined : address);
    });
  });
}
