// Finds every port of the configuration that can't be opened, so that the user hears of all of them at once:
// after a start that failed for one of them, and in `shoal check`.

import { type Config, isClustered } from '../config/config.ts';
import { BindError, UdpSocket } from '../net/cluster/udp.ts';
import { type ListenError, tryPort } from '../net/listen-error.ts';
import { silentLogger } from '../shared/logger.ts';

/** @returns an error for each port that can't be opened; the ports are closed again */
export async function findTakenPorts(config: Config): Promise<(ListenError | BindError)[]> {
  const { listeners, http, largeBytes, roaming, bindAddress: bind, syncPort } = config;
  const probes: Promise<ListenError | BindError | undefined>[] = listeners.map(tryPort);
  if (http !== 'off' && !http.isDefault) {
    probes.push(tryPort({ bind: http.host, port: http.port, place: '-http' }));
  }
  if (isClustered(config)) {
    probes.push(probeUdp(config, config.gossipPort, '-crp'));
    probes.push(probeUdp(config, syncPort, '-csp'));
    if (largeBytes > 0 || roaming) probes.push(tryPort({ bind, port: syncPort, place: '-csp' }));
  }
  const errors = await Promise.all(probes);
  return errors.filter((error) => error !== undefined);
}

async function probeUdp(
  { bindAddress: bind }: Config,
  port: number,
  flag: string,
): Promise<BindError | undefined> {
  const quiet = { receiveBufferBytes: 0, onDatagram: () => undefined, log: silentLogger };
  try {
    const socket = await UdpSocket.open({ bind, port, flag, ...quiet });
    await socket.close();
    return undefined;
  } catch (error) {
    if (error instanceof BindError) return error;
    throw error;
  }
}
