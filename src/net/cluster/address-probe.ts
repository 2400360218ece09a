// Whether anything on the network answers at an address. A refused connection is an answer: the address is on
// an interface of some box. Never throws, and never takes longer than it is given.

import { connect } from 'node:net';

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
