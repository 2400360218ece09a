// Checks that the TCP ports of all listeners are free, by opening and closing each. A clustered node
// opens its listeners only after it has joined, and would otherwise join first and find out later that
// another program has its port.

import { createServer } from 'node:net';
import type { ListenerConfig } from '../../shared/listener-config.ts';
import { ListenError } from './listener.ts';

/** Rejects with a ListenError for the first port that can't be opened. */
export async function checkFreePorts(configs: readonly ListenerConfig[]): Promise<void> {
  for (const config of configs) if (config.port !== 0) await checkFreePort(config);
}

function checkFreePort(config: ListenerConfig): Promise<void> {
  const { bind: host, port } = config;
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error) => reject(new ListenError(config, error)));
    server.listen({ host, port }, () => server.close(() => resolve()));
  });
}
