// A TCP port that can't be opened, in words for the user: what has it, and which option or line to change.
// tryPort() finds out without keeping the port.

import { createServer } from 'node:net';
import { describeSystemError } from '../shared/describe-system-error.ts';
import { formatEndpoint } from '../shared/endpoint.ts';
import { describePortHolder } from './port-holder.ts';

const FAULTS: Readonly<Record<string, string>> = {
  EACCES: 'may not be opened by this user; choose a port above 1023',
  EADDRNOTAVAIL: "can't be opened: no interface has this address; choose another one",
};

/** Where a program listens. */
export interface TcpPlace {
  /** IP literal; undefined = every address of the machine, IPv4 and IPv6. */
  readonly bind: string | undefined;
  /** 0 = any free port. */
  readonly port: number;
  /** What asked for it: the option `-ws`, or the line `/etc/shoal.toml:3`. */
  readonly place: string;
}

/** The message says what to change, and where. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
  readonly isInUse: boolean;

  constructor({ bind = '::', port, place }: TcpPlace, cause: NodeJS.ErrnoException) {
    const isInUse = cause.code === 'EADDRINUSE';
    const endpoint = formatEndpoint({ address: bind, port });
    const fault = isInUse
      ? `is in use by ${describePortHolder('tcp', port)}; choose another port`
      : (FAULTS[cause.code ?? ''] ??
        `can't be opened: ${describeSystemError(cause, 'network')}; requested`);
    // The address of the listeners that have a flag comes from another one.
    const isOfBind = cause.code === 'EADDRNOTAVAIL' && place.startsWith('-') && place !== '-http';
    const named = isOfBind ? '-bind' : place;
    super(`TCP ${endpoint} ${fault} ${named.startsWith('-') ? 'with' : 'in'} ${named}`);
    this.isInUse = isInUse;
  }
}

/** @returns why the port can't be opened, or undefined; it is closed again */
export function tryPort(wanted: TcpPlace): Promise<ListenError | undefined> {
  const { bind: host, port } = wanted;
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error) => resolve(new ListenError(wanted, error)));
    server.listen({ host, port }, () => server.close(() => resolve(undefined)));
  });
}
