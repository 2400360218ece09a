// Names of services in the DNS: a seed such as _shoal-gossip._udp.example.org has SRV records, each with a
// host and a port. Knows nothing of membership. Source: RFC 2782.

import { resolveSrv } from 'node:dns/promises';
import type { HostPort } from '../../shared/endpoint.ts';

/** Hosts of one service that are looked up. */
export const SERVICE_HOSTS_MAX = 16;

/** A host name does not begin with an underscore; a service does. */
export function isServiceName(host: string): boolean {
  return host.startsWith('_');
}

/** @returns the hosts, the lowest priority number first. Rejects as the name server answers. */
export async function lookUpService(name: string): Promise<readonly HostPort[]> {
  const records = await resolveSrv(name);
  return records
    .sort((a, b) => a.priority - b.priority || b.weight - a.weight)
    .slice(0, SERVICE_HOSTS_MAX)
    .map(({ name: host, port }) => ({ host, port }));
}
