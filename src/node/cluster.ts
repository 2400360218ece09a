// The cluster's half of a node: opens the two UDP channels and joins them to the broker. Membership
// gives the sync channel its peers, local publishes go to the sync channel, and a peer's publishes
// go to the broker.

import { randomBytes } from 'node:crypto';
import type { Broker } from '../broker/broker.ts';
import type { Config } from '../config/config.ts';
import { Gossip } from '../net/cluster/gossip.ts';
import { SyncChannel } from '../net/cluster/sync-channel.ts';
import type { Endpoint } from '../shared/endpoint.ts';
import { deriveKeyRing } from '../shared/key-ring.ts';
import type { Logger } from '../shared/logger.ts';
import { version } from '../shared/version.ts';
import { addClusterMetrics } from './cluster-status.ts';

export interface Cluster {
  readonly gossip: Endpoint;
  readonly sync: Endpoint;
  /** Resolves with the reason if the cluster refuses this node: another node has its name. */
  readonly refused: Promise<Error>;
  /** Signs with the first of these tokens from now on, and accepts all of them. */
  rekey(tokens: readonly string[]): Promise<void>;
  /** Announces the departure to the other nodes and closes both ports. */
  stop(): Promise<void>;
}

/** Rejects with a BindError if one of the two UDP ports can't be opened. */
export async function joinCluster(
  config: Config & { tokens: readonly string[] },
  broker: Broker,
  mqttPort: number,
  log: Logger,
): Promise<Cluster> {
  const keys = await deriveKeyRing(config.tokens, config.clusterName);
  const bootId = randomBytes(8).readBigUInt64BE();
  const { bindAddress: bind, encrypt } = config;
  const sync = await SyncChannel.open({
    bootId,
    keys: keys.sync,
    encrypt,
    bind,
    port: config.syncPort,
    topics: config.forwardedTopics,
    datagramBytes: config.syncDatagramBytes,
    queueLength: config.syncQueueLength,
    queuePolicy: config.syncQueuePolicy,
    log,
    handler: broker,
  });
  let refuse: (error: Error) => void = () => undefined;
  const refused = new Promise<Error>((resolve) => {
    refuse = resolve;
  });
  let gossip: Gossip;
  try {
    gossip = await Gossip.open({
      name: config.nodeName,
      bootId,
      keys: keys.gossip,
      encrypt,
      bind,
      port: config.gossipPort,
      advertise: config.advertise,
      seeds: config.members,
      metadata: { syncPort: sync.local.port, mqttPort, version },
      periodMs: config.periodMs,
      pingTimeoutMs: config.pingTimeoutMs,
      log,
      onPeers: (peers) => sync.setPeers(peers),
    });
  } catch (error) {
    await sync.close();
    throw error;
  }
  void gossip.join().then((error) => error && refuse(error));
  broker.forwarder = sync;
  addClusterMetrics(broker.sys, config.nodeName, gossip, sync);
  return {
    gossip: gossip.local,
    sync: sync.local,
    refused,
    rekey: async (tokens) => {
      const ring = await deriveKeyRing(tokens, config.clusterName);
      gossip.rekey(ring.gossip);
      sync.rekey(ring.sync);
    },
    stop: async () => {
      await gossip.leave();
      await Promise.all([gossip.close(), sync.close()]);
    },
  };
}
