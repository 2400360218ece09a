// Whether anything on the network answers at an address. A refused connection is an answer: the address is on
// an interface of some box. So is a hardware address: a host whose firewall drops the connection still answers
// ARP (RFC 826) or Neighbour Discovery (RFC 4861). Never throws.

import { connect } from 'node:net';
import { run } from './interface-address.ts';

/** Resolves with false where no answer came in time. */
export function isAnswering(address: string, port: number, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const end = (isAnswered: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(isAnswered);
    };
    const timer = setTimeout(() => end(false), timeoutMs);
    socket.on('connect', () => end(true));
    socket.on('error', ({ code }: NodeJS.ErrnoException) => end(code === 'ECONNREFUSED'));
  });
}

/** The system asks for the hardware address anew when the next probe is sent. Without the right it may not. */
export async function forgetNeighbour(address: string): Promise<void> {
  await run('ip', ['neighbour', 'flush', 'to', address]).catch(() => undefined);
}

/** Resolves with the hardware address that the system knows; undefined if it knows none, or cannot be asked. */
export async function neighbourAt(address: string): Promise<string | undefined> {
  const shown = await run('ip', ['neighbour', 'show', 'to', address]).catch(() => '');
  return /\blladdr (\S+)/.exec(shown)?.[1];
}
