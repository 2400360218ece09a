// After a start that failed for one taken port: finds every port of the configuration that another
// program has, so that the user hears of all of them at once.

import { createServer } from 'node:net';
import { type Config, isClustered } from '../config/config.ts';
import { ListenError } from '../net/clients/listener.ts';
import { UdpSocket } from '../net/cluster/udp.ts';
import type { ListenerConfig } from '../shared/listener-config.ts';
import { silentLogger } from '../shared/logger.ts';

/** @returns an error for each port that can't be opened; the ports are closed again */
export async function findTakenPorts(config: Config): Promise<Error[]> {
  const probes = config.listeners.map(probeTcp);
  if (isClustered(config)) {
    probes.push(probeUdp(config, config.gossipPort, '-crp'));
    probes.push(probeUdp(config, config.syncPort, '-csp'));
  }
  const errors = await Promise.all(probes);
  return errors.filter((error) => error !== undefined);
}

async function probeUdp(
  { bindAddress: bind }: Config,
  port: number,
  flag: string,
): Promise<Error | undefined> {
  const quiet = { receiveBufferBytes: 0, onDatagram: () => undefined, log: silentLogger };
  try {
    const socket = await UdpSocket.open({ bind, port, flag, ...quiet });
    await socket.close();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function probeTcp(listener: ListenerConfig): Promise<Error | undefined> {
  const { bind: host, port } = listener;
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error) => resolve(new ListenError(listener, error)));
    server.listen({ host, port }, () => server.close(() => resolve(undefined)));
  });
}
