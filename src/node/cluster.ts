// The cluster's half of a node: opens the two UDP channels and joins them to the broker. Membership
// gives the sync channel its peers, local publishes go to the sync channel, and a peer's publishes
// go to the broker.
// Invariant: the sync channel is open before the first client, so that what clients publish before
// the other nodes are found waits in its send queue.

import { randomBytes } from 'node:crypto';
import type { Broker } from '../broker/broker.ts';
import type { Config } from '../config/config.ts';
import { Gossip } from '../net/cluster/gossip.ts';
import { SyncChannel } from '../net/cluster/sync-channel.ts';
import type { Endpoint } from '../shared/endpoint.ts';
import { deriveKeyRing, type KeyRing } from '../shared/key-ring.ts';
import type { Logger } from '../shared/logger.ts';
import { version } from '../shared/version.ts';
import { addClusterMetrics } from './cluster-status.ts';

type ClusterConfig = Config & { tokens: readonly string[] };

interface ClusterParts {
  readonly config: ClusterConfig;
  readonly broker: Broker;
  readonly log: Logger;
  readonly keys: KeyRing;
  readonly bootId: bigint;
}

export class Cluster {
  /** Resolves with the reason if the cluster refuses this node: another node has its name. */
  readonly refused: Promise<Error>;
  readonly #parts: ClusterParts;
  #refuse: (error: Error) => void = () => undefined;
  #sync: SyncChannel | undefined;
  #gossip: Gossip | undefined;

  private constructor(parts: ClusterParts) {
    this.#parts = parts;
    this.refused = new Promise((resolve) => {
      this.#refuse = resolve;
    });
  }

  /** Opens the sync port; membership begins with join(). Rejects with a BindError. */
  static async open(config: ClusterConfig, broker: Broker, log: Logger): Promise<Cluster> {
    const keys = await deriveKeyRing(config.tokens, config.clusterName);
    const bootId = randomBytes(8).readBigUInt64BE();
    const cluster = new Cluster({ config, broker, log, keys, bootId });
    await cluster.#openSync();
    return cluster;
  }

  /** Where the sync channel listens. */
  get sync(): Endpoint {
    return this.#openedSync.local;
  }

  /** Where membership listens; undefined before join(). */
  get gossip(): Endpoint | undefined {
    return this.#gossip?.local;
  }

  /**
   * Opens the gossip port and begins to look for the other nodes. Rejects with a BindError.
   * @param mqttPort announced to the other nodes
   */
  async join(mqttPort: number): Promise<void> {
    const { config, broker, log, keys, bootId } = this.#parts;
    const sync = this.#openedSync;
    const gossip = await Gossip.open({
      name: config.nodeName,
      bootId,
      keys: keys.gossip,
      encrypt: config.encrypt,
      bind: config.bindAddress,
      port: config.gossipPort,
      advertise: config.advertise,
      seeds: config.members,
      metadata: { syncPort: sync.local.port, mqttPort, version },
      periodMs: config.periodMs,
      pingTimeoutMs: config.pingTimeoutMs,
      log,
      onPeers: (peers) => sync.setPeers(peers),
    });
    this.#gossip = gossip;
    void gossip.join().then((error) => error && this.#refuse(error));
    addClusterMetrics(broker.sys, config.nodeName, gossip, sync);
  }

  /** Signs with the first of these tokens from now on, and accepts all of them. */
  async rekey(tokens: readonly string[]): Promise<void> {
    const ring = await deriveKeyRing(tokens, this.#parts.config.clusterName);
    this.#gossip?.rekey(ring.gossip);
    this.#sync?.rekey(ring.sync);
  }

  /** Announces the departure to the other nodes and closes both ports. */
  async stop(): Promise<void> {
    await this.#gossip?.leave();
    await Promise.all([this.#gossip?.close(), this.#sync?.close()]);
  }

  get #openedSync(): SyncChannel {
    if (this.#sync === undefined) throw new Error('the sync channel is not open yet');
    return this.#sync;
  }

  async #openSync(): Promise<void> {
    const { config, broker, log, keys, bootId } = this.#parts;
    this.#sync = await SyncChannel.open({
      bootId,
      keys: keys.sync,
      encrypt: config.encrypt,
      bind: config.bindAddress,
      port: config.syncPort,
      topics: config.forwardedTopics,
      datagramBytes: config.syncDatagramBytes,
      queueLength: config.syncQueueLength,
      queuePolicy: config.syncQueuePolicy,
      expectsPeers: config.members.length > 0,
      log,
      handler: broker,
      isSuspect: (name) => this.#isSuspect(name),
    });
    broker.forwarder = this.#sync;
  }

  #isSuspect(name: string): boolean {
    const member = this.#gossip?.members().find((one) => one.name === name);
    return member?.state === 'suspect';
  }
}
