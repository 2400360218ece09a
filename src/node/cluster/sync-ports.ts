// Opens the ports through which messages cross to other nodes: the sync channel on UDP and, with -large or
// -roaming, the bulk channel on TCP. Decides nothing about messages or members.
// Invariant: both channels have the same port number, so a free one is free for both.

import type { Broker } from '../../broker/broker.ts';
import type { Config } from '../../config/config.ts';
import { BulkChannel } from '../../net/cluster/bulk-channel.ts';
import { datagramBytesTo } from '../../net/cluster/interface-mtu.ts';
import { SyncChannel } from '../../net/cluster/sync-channel.ts';
import type { KeyRing } from '../../shared/key-ring.ts';
import type { Logger } from '../../shared/logger.ts';
import { DATAGRAM_BYTES_MAX } from '../../sync/limits.ts';
import type { ClusterReplication } from '../replication/replication.ts';
import { publishLinkEvent } from '../status/cluster-status.ts';
import type { NodeProber } from './node-prober.ts';
import type { PeerIntake } from './peer-intake.ts';

/** Of a port that is free for UDP and TCP, with -csp=0. */
const FREE_PORT_ATTEMPTS = 10;

/** What the ports share with the rest of the cluster's half. */
export interface SharedParts {
  readonly config: Config;
  readonly broker: Broker;
  readonly log: Logger;
  readonly keys: KeyRing;
  readonly bootId: bigint;
  readonly replication: ClusterReplication;
  readonly intake: PeerIntake;
  readonly probing: NodeProber;
}

interface SyncPortParts extends SharedParts {
  /** True while membership doubts that the node of this name is alive. */
  isSuspect(name: string): boolean;
  /** Milliseconds of a clock that never goes back. */
  now(): number;
}

export interface SyncPorts {
  readonly sync: SyncChannel;
  /** Undefined without -large and -roaming. */
  readonly bulk: BulkChannel | undefined;
}

/** Rejects with a BindError or a ListenError. */
export async function openSyncPorts(parts: SyncPortParts): Promise<SyncPorts> {
  const { config } = parts;
  const bulk = newBulk(parts);
  for (let attempt = 1; ; attempt++) {
    const sync = await openUdp(parts, bulk);
    try {
      await bulk?.listen(sync.local.port, config.bindAddress);
      return { sync, bulk };
    } catch (error) {
      await sync.close();
      const mayRetry = config.syncPort === 0 && attempt < FREE_PORT_ATTEMPTS;
      if (!mayRetry) throw error;
    }
  }
}

function newBulk(parts: SyncPortParts): BulkChannel | undefined {
  const { config, log, keys, bootId, replication, intake } = parts;
  if (config.largeBytes === 0 && !config.roaming) return undefined;
  return new BulkChannel({
    bootId,
    keys: keys.bulk,
    publishBytesMax: config.largeBytes,
    log,
    handler: intake,
    repairHandler: replication.retained && intake,
    interest: replication.filters,
  });
}

function openUdp(parts: SyncPortParts, bulk: BulkChannel | undefined): Promise<SyncChannel> {
  const { config, broker, log, keys, bootId, replication, intake, probing } = parts;
  return SyncChannel.open({
    bootId,
    keys: keys.sync,
    encrypt: config.encrypt,
    bind: config.bindAddress,
    port: config.syncPort,
    isMulticast: config.syncDelivery === 'multicast',
    topics: config.forwardedTopics,
    datagramBytes: config.syncDatagramBytes || DATAGRAM_BYTES_MAX,
    ...(config.syncDatagramBytes === 0 && { datagramBytesTo }),
    queueLength: config.syncQueueLength,
    queuePolicy: config.syncQueuePolicy,
    expectsPeers: config.members.length > 0,
    log,
    handler: intake,
    repairHandler: replication.retained && intake,
    interest: replication.filters,
    large: bulk?.node,
    onLinkEvent: (event) => publishLinkEvent(broker, event, parts.now()),
    onProbe: (datagram, from) => probing.prober.receive('sync', datagram, from),
    isSuspect: (name) => parts.isSuspect(name),
  });
}
