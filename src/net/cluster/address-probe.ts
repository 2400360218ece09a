// Whether anything on the network answers at an address. A refused connection is an answer: the address is on
// an interface of some box. So is a hardware address: a host whose firewall drops the connection still answers
// ARP (RFC 826) or Neighbour Discovery (RFC 4861). Never throws.

import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { run } from './program.ts';

/** For an answer to ARP. */
const ANSWER_MS = 300;

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

/**
 * Asks the network who else has an address of this machine. The kernel asks for each address that gets an entry
 * here, from another address of the interface, and notes who answers. For IPv6 it ignores such an answer.
 * @returns the hardware address of the other host. Rejects where this process may not ask
 */
export async function otherHost(address: string, name: string): Promise<string | undefined> {
  await forgetNeighbour(address);
  await run('ip', ['neighbour', 'replace', address, 'dev', name, 'use']);
  await delay(ANSWER_MS, undefined, { ref: false });
  const hardware = await neighbourAt(address);
  await forgetNeighbour(address);
  return hardware;
}
