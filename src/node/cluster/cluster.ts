// The cluster's half of a node: opens the two UDP channels, connects them to the broker, and joins the
// cluster. Membership gives the sync channel its peers, local publishes go to the sync channel, and a
// peer's publishes go to the broker. Invariants: join() takes JOIN_MS_MAX at most; the sync channel is
// open before the first client, so that messages wait in its send queue while no peer is known.

import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { isDeepStrictEqual } from 'node:util';
import type { Broker } from '../../broker/broker.ts';
import { type Config, usesBeacon } from '../../config/config.ts';
import { sharedOptions } from '../../config/shared-options.ts';
import type { InvitationView } from '../../http/discovery-view.ts';
import type { BeaconView } from '../../net/cluster/beacon-channel.ts';
import type { BulkChannel } from '../../net/cluster/bulk-channel.ts';
import { APPLICATION_BYTES_MAX, Gossip } from '../../net/cluster/gossip.ts';
import type { MemberView } from '../../net/cluster/gossip-view.ts';
import type { SyncChannel } from '../../net/cluster/sync-channel.ts';
import { readMachineMark } from '../../net/machine-mark.ts';
import { isQuery } from '../../query/codec.ts';
import type {
  RegisterStore,
  RegisterWriter,
  StoredRegisters,
} from '../../replica/register-store.ts';
import type { Replica } from '../../replica/replica.ts';
import { bootSeed } from '../../shared/boot-seed.ts';
import type { Endpoint } from '../../shared/endpoint.ts';
import { deriveKeyRing, type KeyRing } from '../../shared/key-ring.ts';
import type { Logger } from '../../shared/logger.ts';
import { version } from '../../shared/version.ts';
import type { BulkStatus } from '../../sync/bulk-node.ts';
import type { BridgePlaces } from '../bridges/bridge-places.ts';
import { ClusterReplication } from '../replication/replication.ts';
import { RoamingSessions } from '../replication/roaming-sessions.ts';
import { ClusterStatus, publishMemberEvent } from '../status/cluster-status.ts';
import type { NodeTroubles } from '../status/node-troubles.ts';
import { ClientAddresses } from './client-addresses.ts';
import { Invitations } from './invitations.ts';
import { joinCluster } from './join-cluster.ts';
import { NodeBeacon } from './node-beacon.ts';
import { NodeProber } from './node-prober.ts';
import { NodeQueries } from './node-queries.ts';
import { PeerIntake } from './peer-intake.ts';
import { PeerWatch } from './peer-watch.ts';
import { processorMs } from './processor-share.ts';
import { openSyncPorts, type SharedParts } from './sync-ports.ts';
import { logNewTokens, logTokens } from './token-log.ts';

/** For answers to the first beacons; boxes that are switched on together differ by more. */
const BEACON_MS = 400;
/** Room for versions: cleared topics keep theirs for a while. */
const REGISTERS_PER_VALUE = 2;

type ClusterConfig = Config & { tokens: readonly string[] };

/** The journal of -data with what it found. */
export type ClusterJournal = RegisterStore & {
  readonly found: StoredRegisters;
  /** The data folder comes from another machine. */
  readonly isFolderMoved: boolean;
};

interface ClusterParts extends SharedParts {
  readonly config: ClusterConfig;
  readonly queries: NodeQueries;
  readonly journal: ClusterJournal | undefined;
}

export class Cluster {
  /** Resolves if another node turns out to hold the name shortly after join(). */
  readonly refused: Promise<Error>;
  /** Called with the names of the other online nodes whenever they change. */
  onOnline: (names: ReadonlySet<string>) => void = () => undefined;
  readonly #peerWatch: PeerWatch;
  #refuse: (error: Error) => void = () => undefined;
  readonly #parts: ClusterParts;
  #keys: KeyRing;
  #rekeying: Promise<void> = Promise.resolve();
  #sync: SyncChannel | undefined;
  /** Undefined without -large and -roaming. */
  #bulk: BulkChannel | undefined;
  #roaming: RoamingSessions | undefined;
  #gossip: Gossip | undefined;
  #status: ClusterStatus | undefined;
  #tokens: readonly string[];
  /** Undefined without -address, and before join(). */
  #addresses: ClientAddresses | undefined;
  /** Undefined before join(). */
  #invitations: Invitations | undefined;
  /** Undefined before join(). */
  #beacon: NodeBeacon | undefined;

  private constructor(parts: ClusterParts) {
    this.#parts = parts;
    this.#keys = parts.keys;
    this.#tokens = parts.config.tokens;
    this.refused = new Promise((resolve) => {
      this.#refuse = resolve;
    });
    this.#peerWatch = new PeerWatch({
      checksMax: parts.config.isolatedChecksMax,
      log: parts.log,
    });
  }

  /**
   * Opens the sync port; membership begins with join(). Rejects with a BindError.
   * @param derivedKeys of the tokens of the configuration
   */
  static async open(
    config: ClusterConfig,
    broker: Broker,
    log: Logger,
    derivedKeys: Promise<KeyRing>,
    journal: ClusterJournal | undefined,
  ): Promise<Cluster> {
    const keys = await derivedKeys;
    logTokens(config.tokens, log);
    const bootId = randomBytes(8).readBigUInt64BE();
    broker.seed = bootSeed(bootId);
    const channel = {
      sendApplication: (member: bigint, bytes: Buffer) =>
        cluster.#gossip?.sendApplication(member, bytes),
      applicationBytesMax: APPLICATION_BYTES_MAX,
    };
    const { nodeName, retainedSync, clientTakeover, sharedGroups } = config;
    const replication = new ClusterReplication({
      bootId,
      topics: config.forwardedTopics,
      registersMax: REGISTERS_PER_VALUE * config.retainedMessagesMax,
      memoryBytesMax: config.memoryBytesMax,
      tombstoneMs: config.tombstoneSeconds * 1000,
      broker,
      journal,
      channel,
      retainedSync,
      clientTakeover,
      nodeName,
      sharedOptions: sharedOptions(config),
      sharedGroups,
      announcesFilters: config.forward === 'interest',
      nameOf: (member) => cluster.#nameOf(member),
    });
    const queries = new NodeQueries({
      nodeName,
      log,
      send: (member, message) => channel.sendApplication(member, message),
      rttMs: (member) => cluster.#memberOf(member)?.rttMs,
    });
    const probing = new NodeProber({
      ...config,
      keys,
      gossip: () => cluster.#gossip,
      beacon: () => cluster.beacon,
      sync: () => cluster.#sync,
      bulk: () => cluster.bulk,
    });
    broker.sys.addSource('queries', () => queries.metrics());
    broker.sys.addSource('probes', () => probing.metrics());
    const intake = new PeerIntake({
      broker,
      handler: replication.retained ?? broker,
      repairHandler: replication.retained,
      now: () => performance.now(),
      processorMs,
    });
    const given = { config, broker, log, keys, bootId, journal };
    const parts = { ...given, replication, intake, queries, probing };
    const cluster: Cluster = new Cluster(parts);
    await cluster.#openSync();
    return cluster;
  }

  /** Resolves if no other node is online for longer than -exit-without-peers allows. */
  get isolated(): Promise<Error> {
    return this.#peerWatch.isolated;
  }

  /** Writes the versions of replicated values, for a snapshot. */
  exportVersions(writer: RegisterWriter): Iterable<void> {
    return this.#parts.replication.export(writer);
  }

  /** Requests to and from other nodes. */
  get queries(): NodeQueries {
    return this.#parts.queries;
  }

  /** Tests of the ways to other nodes. */
  get probing(): NodeProber {
    return this.#parts.probing;
  }

  /** As Gossip.forget(). */
  forget(name: string): boolean {
    return this.#gossip?.forget(name) ?? false;
  }

  /** As Invitations.invite(). */
  async invite(): Promise<InvitationView | undefined> {
    return this.#invitations?.invite();
  }

  /** Contacts another node, until this one restarts. */
  contact(endpoint: Endpoint): void {
    this.#gossip?.contact(endpoint);
  }

  /** Versions of the retained values; undefined where they are not replicated. */
  get retained(): Replica | undefined {
    return this.#parts.replication.retained?.replica;
  }

  /** Where the sync channel listens. */
  get sync(): Endpoint {
    return this.#openedSync.local;
  }

  /** The connections of -large and -roaming; empty without these options. */
  get bulk(): readonly BulkStatus[] {
    return this.#bulk?.node.status ?? [];
  }

  /** Lets the other nodes know what is wrong on this one. */
  reportTroubles(troubles: () => NodeTroubles): void {
    this.#parts.replication.nodes.ownTroubles = troubles;
  }

  /** Whether all nodes hold the same retained messages (-retained-sync). */
  get replicatesRetained(): boolean {
    return this.#parts.replication.retained !== undefined;
  }

  /** Which node runs each bridge. */
  get bridges(): BridgePlaces {
    return this.#parts.replication.bridges;
  }

  /** As NodeBeacon.view(). */
  get beacon(): BeaconView | undefined {
    return this.#beacon?.view();
  }

  /** The members and their traffic; undefined before join(). */
  get status(): ClusterStatus | undefined {
    return this.#status;
  }

  /** Where membership listens; undefined before join(). */
  get gossip(): Endpoint | undefined {
    return this.#gossip?.local;
  }

  /**
   * Opens the gossip port and joins the cluster. Resolves when this node knows the other nodes, or has
   * found that none answers, so that clients that connect from then on reach the subscribers of all
   * nodes. Without -mbs there is no wait. Rejects with a BindError, and with a NameInUseError if
   * another node has this name.
   * @param cancel ends the wait
   */
  async join(cancel?: AbortSignal): Promise<void> {
    const { config, broker, log, keys, bootId, replication, queries, probing } = this.#parts;
    const { advertise } = config;
    const mqttPort = config.listeners[0]?.port || undefined;
    const sync = this.#openedSync;
    const syncPort = advertise?.syncPort ?? sync.local.port;
    const gossip = await Gossip.open({
      name: config.nodeName,
      bootId,
      keys: keys.gossip,
      encrypt: config.encrypt,
      bind: config.bindAddress,
      port: config.gossipPort,
      advertise: advertise && { address: advertise.address, port: advertise.gossipPort },
      seeds: config.members,
      joinAloneMs: usesBeacon(config) ? BEACON_MS : 0,
      clusterName: config.clusterName,
      metadata: { syncPort, mqttPort, version, machine: readMachineMark() },
      isFolderMoved: this.#parts.journal?.isFolderMoved === true,
      periodMs: config.periodMs,
      pingTimeoutMs: config.pingTimeoutMs,
      log,
      onRefused: (error) => this.#refuse(error),
      onMember: (event) => {
        publishMemberEvent(broker, event, performance.now());
        this.#addresses?.review();
        if (event.kind === 'offline') this.#beacon?.memberOffline();
      },
      onPeers: (peers) => {
        this.#peerWatch.peers = peers.length;
        sync.setPeers(peers);
        for (const peer of peers) broker.addSiteNode(bootSeed(peer.bootId));
        this.#bulk?.setPeers(peers);
        this.#roaming?.setPeers(peers);
        replication.setMembers(peers.map((peer) => peer.bootId));
        queries.setOnline(peers);
        this.#beacon?.setOnline(peers);
        this.onOnline(new Set(peers.map(({ name }) => name)));
      },
      onProbe: (datagram, from) => probing.prober.receive('gossip', datagram, from),
      onBeacon: (datagram, from) => this.#beacon?.receive(datagram, from),
      onStranger: (fault, datagram, from) => probing.noteStranger(fault, datagram, from),
      applicationState: () => replication.state(),
      onApplication: (member, bytes, isMessage) => {
        if (isMessage && isQuery(bytes)) queries.receive(member, bytes);
        else replication.receive(member, bytes, isMessage);
      },
    });
    this.#gossip = gossip;
    const invitations = new Invitations({
      config,
      log,
      gossipPort: gossip.local.port,
      syncPort: sync.local.port,
      token: () => this.#tokens[0]!,
      members: () => gossip.onlineEndpoints,
    });
    this.#invitations = invitations;
    broker.sys.addSource('invitations', () => invitations.metrics());
    const beacon = new NodeBeacon({ config, bootId, broker, gossip, log, keys: () => this.#keys });
    this.#beacon = beacon;
    const differing = () => replication.retained?.replica.differing ?? [];
    const { counters } = this.#parts.intake;
    this.#status = new ClusterStatus(
      gossip,
      sync,
      replication.nodes,
      differing,
      counters,
      Date.now,
    );
    this.#status.addMetrics(broker, config.nodeName);
    const refusal = await joinCluster(gossip, config, log, cancel);
    if (refusal !== undefined) throw refusal;
    beacon.joined();
    this.#holdAddresses();
  }

  #holdAddresses(): void {
    const { config, broker, replication, log } = this.#parts;
    if (config.clientAddresses.length === 0) return;
    const isAlive = (name: string): boolean => this.#gossip?.stateOf(name) === 'alive';
    const addresses = new ClientAddresses(config, replication.bridges, log, isAlive);
    broker.sys.addSource('address', () => addresses.metrics());
    replication.nodes.heldAddresses = () => addresses.held;
    if (this.#status !== undefined) this.#status.usedAddress = () => addresses.used;
    this.#addresses = addresses;
  }

  get keys(): KeyRing {
    return this.#keys;
  }

  /**
   * Signs with the first of these tokens from now on, and accepts all of them. The last call decides.
   * Does nothing if they are the same: each derivation leaves 16 MB with one of libuv's threads.
   */
  rekey(tokens: readonly string[]): Promise<void> {
    this.#rekeying = this.#rekeying.catch(() => undefined).then(() => this.#rekey(tokens));
    return this.#rekeying;
  }

  async #rekey(tokens: readonly string[]): Promise<void> {
    if (isDeepStrictEqual(tokens, this.#tokens)) return;
    const { config, log } = this.#parts;
    const ring = await deriveKeyRing(tokens, config.clusterName);
    logNewTokens(this.#keys, ring, log);
    this.#keys = ring;
    this.#tokens = tokens;
    this.#parts.probing.prober.rekey(ring);
    this.#gossip?.rekey(ring.gossip);
    this.#sync?.rekey(ring.sync);
    this.#bulk?.rekey(ring.bulk);
    this.#beacon?.rekey(ring);
  }

  /** Announces the departure to the other nodes and closes both ports. */
  async stop(): Promise<void> {
    this.#peerWatch.close();
    await this.#addresses?.close();
    this.#parts.replication.close();
    this.#parts.queries.close();
    this.#parts.probing.close();
    this.#beacon?.close();
    this.#invitations?.close();
    this.#bulk?.node.leave();
    await this.#gossip?.leave();
    await Promise.all([this.#gossip?.close(), this.#sync?.close(), this.#bulk?.close()]);
  }

  get #openedSync(): SyncChannel {
    if (this.#sync === undefined) throw new Error('the sync channel is not open yet');
    return this.#sync;
  }

  async #openSync(): Promise<void> {
    const { broker, replication } = this.#parts;
    const { sync, bulk } = await openSyncPorts({
      ...this.#parts,
      isSuspect: (name) => this.#gossip?.stateOf(name) === 'suspect',
      now: () => performance.now(),
    });
    this.#sync = sync;
    this.#bulk = bulk;
    replication.use(sync);
    replication.addMetrics(broker.sys);
    if (bulk !== undefined) this.#joinRoaming(bulk);
    if (bulk !== undefined) broker.sys.addSource('bulk', () => bulk.metrics());
    broker.clientDirectory = replication.clients;
    broker.groupSharing = replication.groups;
    broker.forwarder = replication.retained ?? sync;
  }

  #joinRoaming({ node }: BulkChannel): void {
    const { config, broker, bootId, replication } = this.#parts;
    const { clients, filters } = replication;
    if (!config.roaming || clients === undefined) return;
    const roaming = new RoamingSessions({
      bootId,
      broker,
      channel: node,
      places: {
        writerOf: (clientId) => clients.writerOf(clientId),
        claim: (clientId) => {
          clients.claim(clientId);
          filters?.announceNow(performance.now());
        },
      },
      now: () => performance.now(),
      later: (ms, work) => void setTimeout(work, ms).unref(),
    });
    node.onFrame = (peer, kind, body) => roaming.receive(peer, kind, body);
    broker.sessionRoaming = roaming;
    broker.sys.addSource('roaming', () => roaming.metrics());
    this.#roaming = roaming;
  }

  #memberOf(bootId: bigint): MemberView | undefined {
    return this.#gossip?.members().find((one) => one.bootId === bootId);
  }

  #nameOf(bootId: bigint): string {
    return this.#memberOf(bootId)?.name ?? 'another node';
  }
}
