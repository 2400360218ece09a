// The node: the one place that knows all parts and joins them: access control, broker, listeners,
// and, from the files beside this one, the data folder and the cluster.

import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { getHeapStatistics } from 'node:v8';
import { AccessControl } from '../auth/access-control.ts';
import { accessSummaryOf } from '../auth/access-summary.ts';
import { Broker } from '../broker/broker.ts';
import type { Authorizer, ClientEvents } from '../broker/ports.ts';
import { type Config, isClustered } from '../config/config.ts';
import { reloadableBrokerOptions } from '../config/reload.ts';
import { EventLog } from '../http/event-log.ts';
import type { ValuesOf } from '../metrics/metric-list.ts';
import { BrokerClock } from '../net/clients/broker-clock.ts';
import { Listeners } from '../net/clients/listeners.ts';
import { tryPort } from '../net/listen-error.ts';
import type { Endpoint } from '../shared/endpoint.ts';
import { deriveKeyRing, type KeyRing } from '../shared/key-ring.ts';
import type { ListenerProtocol } from '../shared/listener-config.ts';
import type { Logger } from '../shared/logger.ts';
import { secureRandom } from '../shared/random.ts';
import type { Journal } from '../storage/journal.ts';
import { Announcer } from './announcer.ts';
import { Bridges } from './bridges/bridges.ts';
import { brokerOptions } from './broker-options.ts';
import { Cluster } from './cluster/cluster.ts';
import type { ConfigSource } from './config-source.ts';
import { type Management, openManagement } from './management.ts';
import { NodeDoctor } from './node-doctor.ts';
import { LocalNodeApi } from './node-view.ts';
import { OwnAddresses } from './own-addresses.ts';
import { History } from './status/history.ts';
import { SiteStatus } from './status/site-status.ts';
import { attachJournal, clusterJournal, openJournal } from './storage.ts';

/** Of a stop, for clients to take their last bytes and go. */
const CLIENTS_LEAVE_MS_MAX = 2_000;

export interface OpenListener {
  readonly protocol: ListenerProtocol;
  readonly local: Endpoint;
}

export interface RunningNode {
  /** Where MQTT clients connect; at least one. */
  readonly listeners: readonly OpenListener[];
  readonly gossip?: Endpoint;
  readonly sync?: Endpoint;
  /** Where the HTTP API listens. */
  readonly http?: Endpoint;
  /** Resolves if this node has to end: another one holds its name, or none is online for too long. */
  readonly failed?: Promise<Error>;
  /** Resolves when the API asks this node to stop; the caller then stops it. */
  readonly stopAsked?: Promise<void>;
  /** Whether the site is well, in one sentence. */
  sentence(): string;
  /**
   * Takes over what may change while running: listeners, the files that decide on access, limits.
   * @returns what is wrong with files and listeners: for these the last good configuration stays, and
   *   log and status name each
   */
  reload(config: Config): Promise<readonly string[]>;
  /** What is wrong with the configuration itself, of which the last good one stays. */
  noteConfiguration(problems: readonly string[]): void;
  /** Signs with the first of these cluster tokens from now on, and accepts all of them. */
  rekey(tokens: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

/** With the parts that a program needs that embeds the node. */
export interface EmbeddableNode extends RunningNode {
  readonly broker: Broker;
}

/** Not by process.memoryUsage(): that opens a file, and throws when no file descriptor is left. */
function heapWatcher(): () => ValuesOf<'process'> {
  let heapBytesMax = 0;
  return () => {
    const statistics = getHeapStatistics();
    const heapBytes = statistics.used_heap_size + statistics.external_memory;
    heapBytesMax = Math.max(heapBytesMax, heapBytes);
    return { heapBytes, heapBytesMax };
  };
}

/** What a node may be given besides its configuration. */
export interface NodeSurroundings {
  /** Ends the wait for other nodes; runNode() then rejects, and nothing is left open. */
  readonly cancel?: AbortSignal | undefined;
  /** Of the configuration, for those who look at it or change it. */
  readonly source: ConfigSource;
  /** A program that decides on access as well: makes its authorizer of the node's own. */
  readonly authorizer?: ((own: Authorizer) => Authorizer) | undefined;
  readonly events?: ClientEvents | undefined;
}

/** Another thread needs some 40 ms for them; meanwhile the node opens what is not of the cluster. */
function startDerivingKeys(tokens: readonly string[], clusterName: string): Promise<KeyRing> {
  const keys = deriveKeyRing(tokens, clusterName);
  // A fault is for the one who awaits them.
  keys.catch(() => undefined);
  return keys;
}

/**
 * Starts a node: data folder, cluster, and last the listeners, so that a client that connects reaches
 * the subscribers of all nodes. Rejects if a port can't be opened or the name is in use.
 */
export async function runNode(
  config: Config,
  sink: Logger,
  surroundings: NodeSurroundings,
): Promise<EmbeddableNode> {
  const { cancel, source } = surroundings;
  const log = new EventLog(sink);
  const keys = isClustered(config)
    ? startDerivingKeys(config.tokens, config.clusterName)
    : undefined;
  const access = await openAccess(config, log);
  const opened = await openJournal(config, log).catch(stopAndThrow(async () => access.close()));
  let cluster: Cluster | undefined;
  const broker = openBroker(config, log, access, opened?.journal, surroundings);
  const journal = opened && attachJournal(opened, broker, () => cluster);
  const clock = new BrokerClock(broker);
  const bridges = new Bridges(config, broker, log);
  const announcer = new Announcer(config, log);
  let listeners: Listeners | undefined;
  try {
    if (isClustered(config) && keys !== undefined) {
      await checkFreePorts(config.listeners);
      cluster = await Cluster.open(config, broker, log, keys, opened && clusterJournal(opened));
      cluster.onOnline = (names) => announcer.setOnline(names);
      await cluster.join(cancel);
      cancel?.throwIfAborted();
    }
    const listening = await Listeners.open(config.listeners, broker);
    listeners = listening;
    broker.sys.addSource('listeners', () => listening.metrics());
    bridges.start(cluster?.bridges);
    announcer.announce(listening.all);
    if (announcer.metrics !== undefined) broker.sys.addSource('mdns', announcer.metrics);
  } catch (error) {
    announcer.close();
    await cluster?.stop();
    clock.stop();
    access.close();
    await journal?.close();
    throw error;
  }
  const site = openSiteStatus(config, { broker, bridges, cluster, journal });
  const active = { config };
  const stopRequest = newStopRequest();
  const history = new History(broker, log, () => cluster?.status);
  const addresses = new OwnAddresses(listeners.all, () => cluster?.status?.seenAt);
  const examined = { cluster, bridges, announcer, site, source, config: () => active.config };
  const api = new LocalNodeApi({
    ...examined,
    name: config.nodeName,
    log,
    broker,
    history,
    addresses,
    stop: stopRequest.ask,
    doctor: new NodeDoctor(examined),
    isOpen: () => access.permissive && isOpenToAll(active.config),
  });
  const seen = { site, history, addresses };
  const parts = { ...seen, announcer, bridges, listeners, broker, cluster, clock, access, journal };
  const stop = stopper(parts);
  const opening = openManagement(config, api, cluster?.queries, log);
  const management = await opening.catch(stopAndThrow(stop));
  broker.sys.addSource('http', () => management.metrics());
  return {
    broker,
    listeners: listeners.all,
    ...(cluster?.gossip && {
      gossip: cluster.gossip,
      sync: cluster.sync,
      failed: Promise.race([cluster.refused, cluster.isolated]),
    }),
    ...(management.http && { http: management.http }),
    stopAsked: stopRequest.asked,
    sentence: () => site.verdict().sentence,
    ...changesTo(active, parts, management),
    stop: async () => {
      await management.close();
      await stop();
    },
  };
}

/**
 * Rejects with a ListenError for the first port that can't be opened. A clustered node opens its listeners
 * after it has joined: without this it would join first and end then.
 */
async function checkFreePorts(listeners: Config['listeners']): Promise<void> {
  for (const listener of listeners) {
    const fault = await tryPort(listener);
    if (fault !== undefined) throw fault;
  }
}

function openBroker(
  config: Config,
  log: Logger,
  access: AccessControl,
  store: Journal | undefined,
  { authorizer, events }: NodeSurroundings,
): Broker {
  const broker = new Broker({
    options: brokerOptions(config),
    random: secureRandom,
    now: performance.now(),
    log,
    authorizer: authorizer?.(access) ?? access,
    events,
    ...(store && { store }),
  });
  broker.sys.addSource('access', () => access.metrics());
  broker.sys.addSource('process', heapWatcher());
  return broker;
}

function openAccess(config: Config, log: Logger): Promise<AccessControl> {
  return AccessControl.open(config, { log, now: () => performance.now(), wallClock: Date.now });
}

function newStopRequest() {
  let ask = (): void => undefined;
  const asked = new Promise<void>((resolve) => {
    ask = resolve;
  });
  return { asked, ask };
}

function stopAndThrow(stop: () => Promise<void>): (error: unknown) => Promise<never> {
  return async (error) => {
    await stop();
    throw error;
  };
}

/** A listener lets clients in that prove nothing. */
function isOpenToAll(config: Config): boolean {
  return config.listeners.some((listener) => accessSummaryOf(config, listener).byNothing);
}

interface StartedParts {
  readonly history: History;
  readonly addresses: OwnAddresses;
  readonly site: SiteStatus;
  readonly announcer: Announcer;
  readonly bridges: Bridges;
  readonly listeners: Listeners;
  readonly broker: Broker;
  readonly cluster: Cluster | undefined;
  readonly clock: BrokerClock;
  readonly access: AccessControl;
  readonly journal: Journal | undefined;
}

/** @param active the options in force */
function changesTo(
  active: { config: Config },
  parts: StartedParts,
  management: Management,
): Pick<RunningNode, 'reload' | 'noteConfiguration' | 'rekey'> {
  return {
    reload: async (next) => {
      active.config = next;
      const problems = [...management.reload(), ...(await reload(next, parts))];
      parts.site.noteInvalid('files', problems);
      return problems;
    },
    noteConfiguration: (problems) => parts.site.noteInvalid('configuration', problems),
    rekey: async (tokens) => {
      active.config = { ...active.config, tokens };
      await parts.cluster?.rekey(tokens);
    },
  };
}

/** @returns what is wrong with files and listeners */
async function reload(
  next: Config,
  { announcer, broker, bridges, listeners, access, cluster, history }: StartedParts,
): Promise<readonly string[]> {
  history.configurationRead();
  broker.reconfigure(reloadableBrokerOptions(next));
  let wrongFiles: readonly string[] = [];
  // Permissions come first: no client connects by a listener whose own are not loaded yet.
  const wrongListeners = await listeners.reload(next.listeners, async (wrong) => {
    const { faults, kept } = await access.reload(next, wrong);
    broker.applyRights(performance.now());
    wrongFiles = faults;
    return kept;
  });
  announcer.announce(listeners.all);
  bridges.reload(next);
  if (isClustered(next)) await cluster?.rekey(next.tokens);
  return [...wrongListeners, ...wrongFiles];
}

/** @returns a function that disconnects clients, leaves the cluster and closes everything */
function stopper(parts: StartedParts): () => Promise<void> {
  const { announcer, bridges, listeners, broker, cluster, clock, access, journal } = parts;
  return async () => {
    announcer.close();
    for (const watcher of [parts.site, parts.history, parts.addresses]) watcher.close();
    bridges.stop();
    const clientsLeft = listeners.close();
    broker.shutdown(performance.now());
    await Promise.race([clientsLeft, delay(CLIENTS_LEAVE_MS_MAX)]);
    await cluster?.stop();
    clock.stop();
    access.close();
    await journal?.close();
  };
}

function openSiteStatus(
  config: Config,
  {
    broker,
    bridges,
    cluster,
    journal,
  }: Pick<StartedParts, 'broker' | 'bridges' | 'cluster' | 'journal'>,
): SiteStatus {
  const { nodeName, members, gossipPort, syncPort, dataFolder: folder } = config;
  const site = new SiteStatus({
    broker,
    nodeName,
    expectsOthers: members.length > 0,
    cluster: cluster?.status,
    gossipPort: cluster?.gossip?.port ?? gossipPort,
    syncPort: cluster?.sync.port ?? syncPort,
    lostBridges: () => bridges.lost(),
    bulk: () => cluster?.bulk ?? [],
    retainedHash: () => cluster?.retained?.hash,
    strangers: () => cluster?.beacon?.strangers.map(({ address }) => address) ?? [],
    disk:
      folder === undefined || journal === undefined
        ? undefined
        : { folder, isAccepting: () => journal.accepting },
  });
  cluster?.reportTroubles(() => site.ownTroubles);
  broker.sys.addSource('site', () => site.metrics());
  return site;
}
