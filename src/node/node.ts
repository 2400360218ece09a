// The node: the one place that knows all parts and joins them. Local publishes go from the broker
// to the sync channel, those of peers from the sync channel to the broker, and membership tells
// the sync channel who the peers are.

import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { memoryUsage } from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { AccessControl } from '../auth/access-control.ts';
import { Broker } from '../broker/broker.ts';
import { exportState } from '../broker/session/export-state.ts';
import { importState } from '../broker/session/import-state.ts';
import { type Config, isClustered } from '../config/config.ts';
import { reloadableBrokerOptions } from '../config/reload.ts';
import { formatHostPort } from '../config/value-types.ts';
import { BrokerClock } from '../net/clients/broker-clock.ts';
import type { ListenerOptions } from '../net/clients/listener.ts';
import { Listeners } from '../net/clients/listeners.ts';
import { Gossip } from '../net/cluster/gossip.ts';
import { SyncChannel } from '../net/cluster/sync-channel.ts';
import type { Endpoint } from '../shared/endpoint.ts';
import { deriveKeyRing } from '../shared/key-ring.ts';
import type { Logger } from '../shared/logger.ts';
import { version } from '../shared/version.ts';
import { Journal, type OpenedJournal } from '../storage/journal.ts';

/** Of a stop, for clients to take their last bytes and go. */
const CLIENTS_LEAVE_MS_MAX = 2_000;

/** Beyond one packet of the largest size, for others that share its WebSocket message. */
const WEBSOCKET_MESSAGE_SPARE_BYTES = 65_536;

export interface OpenListener {
  readonly protocol: 'tcp' | 'tls' | 'ws' | 'wss';
  readonly local: Endpoint;
}

export interface RunningNode {
  /** Where MQTT clients connect; at least one. */
  readonly listeners: readonly OpenListener[];
  readonly gossip?: Endpoint;
  readonly sync?: Endpoint;
  /** Resolves when something happened that the node can't go on after. */
  readonly fatal: Promise<Error>;
  /**
   * Takes over what may change while running: listeners, the files that decide on access, limits.
   * @returns how many files or listeners are wrong: what was good before stays, as the log tells
   */
  reload(config: Config): Promise<number>;
  stop(): Promise<void>;
}

/** What the program's objects and buffers occupy, under mosquitto's names. */
function heapWatcher(): () => Record<string, string> {
  let bytesMax = 0;
  return () => {
    const { heapUsed, external } = memoryUsage();
    const bytes = heapUsed + external;
    bytesMax = Math.max(bytesMax, bytes);
    return { 'heap/current': String(bytes), 'heap/maximum': String(bytesMax) };
  };
}

/** The cluster's half of a node. */
interface Cluster {
  readonly gossip: Endpoint;
  readonly sync: Endpoint;
  /** Resolves if the node may not be a member (its name is taken). */
  readonly refused: Promise<Error>;
  /** Signs with the first of these tokens from now on and accepts all of them. */
  rekey(tokens: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

/** Rejects where a port can't be had. Clients are served from the moment it resolves. */
export async function runNode(config: Config, log: Logger): Promise<RunningNode> {
  const access = await AccessControl.open(config, {
    log,
    now: () => performance.now(),
    wallClock: Date.now,
  });
  const opened = await openData(config, log).catch((error: unknown) => {
    access.close();
    throw error;
  });
  const broker = new Broker({
    options: { ...config, version },
    random: unpredictable,
    now: performance.now(),
    log,
    authorizer: access,
    ...(opened && { store: opened.journal }),
  });
  const journal = opened && joinData(opened, broker);
  broker.sys.addSource(() => ({
    ...access.sysValues(),
    'access/denied': String(broker.stats.denied),
  }));
  broker.sys.addSource(heapWatcher());
  const clock = new BrokerClock(broker);
  let listeners: Listeners | undefined;
  let cluster: Cluster | undefined;
  try {
    const listening = await Listeners.open(listenerOptions(config), broker);
    listeners = listening;
    broker.sys.addSource(() => listening.sysValues());
    const mqttPort = listening.all[0]?.local.port ?? 0;
    if (isClustered(config)) cluster = await joinCluster(config, broker, mqttPort, log);
  } catch (error) {
    void listeners?.close();
    clock.stop();
    access.close();
    await journal?.close();
    throw error;
  }
  return {
    listeners: listeners.all,
    ...(cluster && { gossip: cluster.gossip, sync: cluster.sync }),
    fatal: cluster?.refused ?? new Promise(() => undefined),
    reload: async (next) => {
      Object.assign(broker.options, reloadableBrokerOptions(next));
      let wrongFiles = 0;
      // Rights go first: nobody comes in by a listener before its own are there.
      const wrongListeners = await listeners.reload(listenerOptions(next), async (wrong) => {
        const { faults, kept } = await access.reload(next, wrong);
        broker.applyRights(performance.now());
        wrongFiles = faults;
        return kept;
      });
      if (isClustered(next)) await cluster?.rekey(next.tokens);
      return wrongListeners + wrongFiles;
    },
    stop: async () => {
      const clientsLeft = listeners.close();
      broker.shutdown(performance.now());
      await Promise.race([clientsLeft, delay(CLIENTS_LEAVE_MS_MAX)]);
      await cluster?.stop();
      clock.stop();
      access.close();
      await journal?.close();
    },
  };
}

function openData(config: Config, log: Logger): Promise<OpenedJournal | undefined> {
  const { dataFolder: folder } = config;
  return folder === undefined ? Promise.resolve(undefined) : Journal.open({ folder, log });
}

/** What earlier runs left comes back, and the journal may ask for the whole state. */
function joinData({ journal, state }: OpenedJournal, broker: Broker): Journal {
  importState(broker, state);
  journal.useCapture((writer) => exportState(broker, writer));
  broker.sys.addSource(() => journal.sysValues());
  broker.log.info('sessions and retained messages are back', {
    sessions: broker.sessionCount,
    subscriptions: broker.tree.size,
    retained: broker.retained.count,
  });
  return journal;
}

function listenerOptions(config: Config): ListenerOptions[] {
  const handshakeMs = config.connectTimeoutSeconds * 1000;
  return config.listeners.map((listener) => {
    const { id, packetBytesMax, origins } = listener;
    const rules = { name: id, packetBytesMax };
    const messageBytesMax = packetBytesMax + WEBSOCKET_MESSAGE_SPARE_BYTES;
    return { ...listener, handshakeMs, webSocket: { messageBytesMax, origins }, rules };
  });
}

async function joinCluster(
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
    queuePolicy: config.syncQueuePolicy === 'discard-newest' ? 0 : 1,
    log,
    deliver: (view) => broker.publishFromPeer(view, performance.now()),
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
      seeds: config.members.map(formatHostPort),
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
  void gossip.accepted().then((error) => error && refuse(error));
  broker.forwarder = sync;
  broker.sys.addSource(() => clusterValues(config.nodeName, gossip, sync));
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

/** What stands under $SYS/broker/cluster. */
function clusterValues(
  nodeName: string,
  gossip: Gossip,
  sync: SyncChannel,
): Record<string, string> {
  const states = { alive: 0, suspect: 0, offline: 0, left: 0 };
  for (const member of gossip.members()) states[member.state] += 1;
  const values: Record<string, string> = { 'cluster/node': nodeName };
  for (const [state, count] of Object.entries(states)) {
    values[`cluster/members/${state}`] = String(count);
  }
  for (const [name, value] of numbersIn(gossip.counters)) values[`cluster/gossip/${name}`] = value;
  for (const [name, value] of numbersIn(sync.counters)) values[`cluster/sync/${name}`] = value;
  for (const [name, value] of numbersIn(sumOfPeers(sync))) values[`cluster/peers/${name}`] = value;
  return values;
}

function sumOfPeers(sync: SyncChannel): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { counters } of sync.peers()) {
    for (const [name, value] of Object.entries(counters)) sums[name] = (sums[name] ?? 0) + value;
  }
  return sums;
}

/** Counters, those of a group as `group/counter`. */
function* numbersIn(counters: object): Generator<[string, string]> {
  for (const [name, value] of Object.entries(counters)) {
    if (typeof value === 'number') yield [name, String(value)];
    else for (const [inner, number] of numbersIn(value)) yield [`${name}/${inner}`, number];
  }
}

/** In [0, 1), from the system's generator: it names clients that bring no name. */
function unpredictable(): number {
  return randomBytes(6).readUIntBE(0, 6) / 0x1000000000000;
}
