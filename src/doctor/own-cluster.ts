// The cluster as a doctor without a node reaches it: opens both ports itself, for as long as it takes, and
// joins nothing. Other nodes see no member come or go.

import { performance } from 'node:perf_hooks';
import type { Config } from '../config/config.ts';
import { openApartSocket } from '../net/cluster/apart-socket.ts';
import { isBeacon, openBeacon } from '../net/cluster/beacon-seal.ts';
import { Prober } from '../net/cluster/prober.ts';
import { Strangers, withCallers } from '../net/cluster/strangers.ts';
import { BindError, UdpSocket } from '../net/cluster/udp.ts';
import type { Endpoint } from '../shared/endpoint.ts';
import { isProbe, Opener } from '../shared/envelope.ts';
import { deriveKeyRing } from '../shared/key-ring.ts';
import { silentLogger } from '../shared/logger.ts';
import { version } from '../shared/version.ts';
import type { ClusterView } from './context.ts';

/** Addresses whose authentic datagrams are remembered. */
const HEARD_MAX = 1024;

export interface OwnCluster extends ClusterView {
  close(): Promise<void>;
}

/** @returns undefined if a port is taken, which another check reports */
export async function openOwnCluster(
  config: Config & { readonly tokens: readonly string[] },
): Promise<OwnCluster | undefined> {
  const { tokens, clusterName, encrypt, bindAddress: bind, gossipPort, syncPort } = config;
  const keys = await deriveKeyRing(tokens, clusterName);
  const opener = new Opener(keys.gossip, encrypt);
  const strangers = new Strangers();
  const heard = new Set<string>();
  /** Whose beacons can't be opened. */
  const callers = new Set<string>();
  const ports = { gossip: gossipPort, sync: syncPort };
  const sockets = new Map<string, UdpSocket>();
  const prober: Prober = new Prober({
    keys,
    encrypt,
    ports: () => ports,
    send: (channel, datagram, to) => void sockets.get(channel)?.send(datagram, to),
    openApart: (onDatagram) => openApartSocket(bind, onDatagram),
    facts: () => ({ name: config.nodeName, version, clock: Date.now(), members: [] }),
  });
  const receive = (datagram: Buffer, from: Endpoint): void => {
    if (isProbe(datagram)) prober.receive('gossip', datagram, from);
    else if (isBeacon(datagram)) {
      const isStrange = openBeacon(keys.beacon, datagram) === 'unknownKey';
      if (isStrange && callers.size < HEARD_MAX) callers.add(from.address);
    } else {
      const opened = opener.open(datagram);
      if (typeof opened === 'string') strangers.note(opened, datagram, from, performance.now());
      else if (heard.size < HEARD_MAX) heard.add(from.address);
    }
  };
  const close = async (): Promise<void> => {
    prober.close();
    await Promise.all([...sockets.values()].map((socket) => socket.close()));
  };
  const quiet = { bind, receiveBufferBytes: 0, log: silentLogger };
  try {
    const gossip = { ...quiet, port: gossipPort, flag: '-crp', onDatagram: receive };
    sockets.set('gossip', await UdpSocket.open(gossip));
    const onDatagram = (datagram: Buffer, from: Endpoint): void => {
      if (isProbe(datagram)) prober.receive('sync', datagram, from);
    };
    sockets.set(
      'sync',
      await UdpSocket.open({ ...quiet, port: syncPort, flag: '-csp', onDatagram }),
    );
  } catch (error) {
    await close();
    if (error instanceof BindError) return undefined;
    throw error;
  }
  return {
    prober,
    members: () => [],
    bulk: () => [],
    isHeard: (address) => heard.has(address),
    strangers: async () =>
      withCallers(await strangers.report(performance.now(), tokens, clusterName), callers),
    close,
  };
}
