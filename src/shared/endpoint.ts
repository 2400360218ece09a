// An IP address with a port, and its text form. Knows nothing of DNS: an Endpoint never holds a host
// name.

export interface Endpoint {
  /** IPv4 or IPv6 literal without brackets; an IPv4-mapped IPv6 address is written as IPv4. */
  readonly address: string;
  readonly port: number;
}

/** A host as the user wrote it, name or address: resolved only when it is needed. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** `192.168.1.1:7946` or `[fe80::1]:7946`. */
export function formatEndpoint(endpoint: Endpoint): string {
  return formatHostPort({ host: endpoint.address, port: endpoint.port });
}

export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

export function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return a.port === b.port && a.address === b.address;
}

/** True for an address that only this machine reaches. */
export function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}

/** True for the two addresses that mean all of a machine. */
export function isUnspecified(address: string): boolean {
  return address === '::' || address === '0.0.0.0';
}

/** Writes `::ffff:a.b.c.d`, as dual-stack sockets report IPv4 senders, as plain IPv4. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}
