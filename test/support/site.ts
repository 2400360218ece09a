// A site in one process: nodes with membership, sync channel, bulk channel, replicated maps and broker, joined as
// src/node/cluster/cluster.ts joins them, on the simulator's virtual clock and network. The same seed and options give
// the same run. After a quiet time hashes() says whether all nodes hold the same state.

import { APPLICATION_BYTES_MAX } from '../../src/net/cluster/gossip.ts';
import { PeerIntake } from '../../src/node/cluster/peer-intake.ts';
import { ClusterClients } from '../../src/node/replication/client-directory.ts';
import { ClusterFilters } from '../../src/node/replication/filter-directory.ts';
import { RetainedReplication } from '../../src/node/replication/retained-replication.ts';
import { RoamingSessions } from '../../src/node/replication/roaming-sessions.ts';
import { ClusterClock } from '../../src/replica/cluster-clock.ts';
import { MapId } from '../../src/replica/codec.ts';
import { GroupTable } from '../../src/replica/group-table.ts';
import { type ReplicatedMap, Replication } from '../../src/replica/replication.ts';
import { bootSeed } from '../../src/shared/boot-seed.ts';
import type { Endpoint } from '../../src/shared/endpoint.ts';
import type { ChannelKeys } from '../../src/shared/key-ring.ts';
import { silentLogger } from '../../src/shared/logger.ts';
import type { Peer } from '../../src/shared/peer.ts';
import { endpointOf } from '../../src/swim/member-table.ts';
import { BulkNode } from '../../src/sync/bulk-node.ts';
import type { QueuePolicy } from '../../src/sync/packer.ts';
import { SyncNode } from '../../src/sync/sync-node.ts';
import type { SyncNodeOptions } from '../../src/sync/sync-options.ts';
import { World } from './mqtt-world.ts';
import { seededRandom } from './random.ts';
import type { SimApplication, SimNode, Simulator } from './simulator.ts';
import { type OpenFolder, SiteFolders } from './site-folders.ts';
import { openPipe, type PipeEnd } from './site-pipes.ts';

const SYNC_PORT = 7947;
const TICK_MS = 50;
const SECOND_MS = 1000;
/** Events that a stalled process finds waiting. */
const INBOX_MAX = 2000;
/** Of each replicated map of a node, cleared ones included. */
export const SITE_REGISTERS_MAX = 10_000;
const NONCE_BYTES = 8;
const DAY_MS = 86_400_000;
/** Boxes have clocks that differ, and some begin in 1970. */
const WALL_CLOCK_MS = 1e12;

type Handlers = Pick<SyncNodeOptions, 'handler' | 'repairHandler'>;

export interface SiteOptions {
  readonly keys: ChannelKeys;
  readonly encrypt: boolean;
  readonly forward: 'all' | 'interest';
  readonly shared: 'node' | 'cluster';
  /** 0: off. */
  readonly largeBytes: number;
  readonly roaming: boolean;
  readonly clientTakeover: boolean;
  readonly retainedSync: boolean;
  readonly datagramBytes: number;
  readonly queueLength: number;
  readonly queuePolicy: QueuePolicy;
  /** The nodes that send to the multicast group and receive it. */
  readonly multicast: 'none' | 'some' | 'all';
  /** The boxes with a data folder. */
  readonly data: 'none' | 'some' | 'all';
}

export class Site {
  readonly sim: Simulator;
  readonly options: SiteOptions;
  readonly nodes: SiteNode[] = [];
  readonly folders: SiteFolders;
  /** Share of the datagrams to the group that the network loses, beside those that it loses anyway. */
  groupLoss = 0;

  constructor(sim: Simulator, options: SiteOptions) {
    this.sim = sim;
    this.options = options;
    this.folders = new SiteFolders(sim, seededRandom(sim.seed * 13), silentLogger);
  }

  /** For NodeOptions.application. */
  readonly application = (sim: SimNode): SiteNode => {
    const node = new SiteNode(this, sim);
    this.nodes.push(node);
    return node;
  };

  /** Nodes that run and are in the cluster. */
  running(): SiteNode[] {
    return this.nodes.filter(({ sim }) => sim.isRunning && !sim.swim.isOver);
  }

  at(ms: number, work: () => void): void {
    this.sim.at(this.sim.now + ms, work);
  }

  get now(): number {
    return this.sim.now;
  }

  connects(from: PipeEnd, to: PipeEnd): boolean {
    if (!from.isUp || !to.isUp) return false;
    return !this.sim.isCut((from as SiteNode).sim.endpoint, (to as SiteNode).sim.endpoint);
  }

  nodeAt(address: string): SiteNode | undefined {
    return this.nodes.find(({ isUp, sim }) => isUp && sim.endpoint.address === address);
  }

  /** A datagram on the sync port. */
  carry(from: SiteNode, to: Endpoint, datagram: Buffer): void {
    const { sim } = this;
    if (sim.isCut(from.sim.endpoint, to) || sim.random() < sim.network.loss) return;
    const copies = sim.random() < sim.network.duplication ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      // Belongs to the receiver, while the sender uses its buffer again.
      const bytes = Buffer.from(datagram);
      const { delayMsMin, delayMsMax } = sim.network;
      const delayMs = delayMsMin + sim.random() * (delayMsMax - delayMsMin);
      this.at(delayMs, () => {
        const node = this.nodeAt(to.address);
        node?.deliver(() => node.sync.receive(bytes, sim.now));
      });
    }
  }

  nonce(): Buffer {
    const bytes = Buffer.allocUnsafe(NONCE_BYTES);
    for (let at = 0; at < NONCE_BYTES; at++) bytes[at] = this.sim.random() * 256;
    return bytes;
  }

  /** One datagram to all others in the multicast group. */
  carryToGroup(from: SiteNode, datagram: Buffer): void {
    for (const node of this.nodes) {
      if (node === from || !node.isUp || !node.isInGroup) continue;
      if (this.groupLoss > 0 && this.sim.random() < this.groupLoss) continue;
      this.carry(from, node.sim.endpoint, datagram);
    }
  }

  /** The state that every node should hold, by its name: on how many nodes which hash was found. */
  hashes(): Map<string, Set<number>> {
    const found = new Map<string, Set<number>>();
    for (const node of this.running()) {
      for (const [name, { replica }] of node.maps) {
        found.set(name, (found.get(name) ?? new Set()).add(replica.map.valuesHash));
      }
    }
    return found;
  }

  /** Names of the maps that differ between nodes. */
  differing(): string[] {
    return [...this.hashes()].filter(([, hashes]) => hashes.size > 1).map(([name]) => name);
  }
}

export class SiteNode implements SimApplication, PipeEnd {
  readonly sim: SimNode;
  readonly isInGroup: boolean;
  readonly world: World;
  readonly sync: SyncNode;
  readonly bulk: BulkNode | undefined;
  readonly clients: ClusterClients | undefined;
  readonly retained: RetainedReplication | undefined;
  readonly groups: GroupTable | undefined;
  readonly filters: ClusterFilters | undefined;
  readonly roaming: RoamingSessions | undefined;
  /** The replicated maps, by what they hold. */
  readonly maps = new Map<string, ReplicatedMap>();
  readonly #site: Site;
  readonly #folder: OpenFolder | undefined;
  readonly #replication: Replication;
  readonly #clock: ClusterClock;
  readonly #waiting: (() => void)[] = [];
  #isFlushDue = false;
  #isGroupFlushDue = false;
  #groupFlushAt = Number.POSITIVE_INFINITY;

  constructor(site: Site, sim: SimNode) {
    this.#site = site;
    this.sim = sim;
    const { multicast } = site.options;
    this.isInGroup = multicast === 'all' || (multicast === 'some' && site.nodes.length % 3 > 0);
    const { now, random } = site.sim;
    this.#folder = site.folders.take(sim.name, this);
    this.world = new World({}, { now, ...(this.#folder && { store: this.#folder.journal }) });
    this.world.now = now;
    if (this.#folder !== undefined) this.world.broker.importState(this.#folder.state);
    this.#clock = new ClusterClock(now, this.#startOfClock(random));
    this.#replication = new Replication(this.#clock);
    const { options } = site;
    if (options.clientTakeover) this.clients = this.#newClients();
    if (options.retainedSync) this.retained = this.#newRetained();
    this.#capture();
    if (options.shared === 'cluster') this.groups = this.#newGroups();
    if (options.forward === 'interest') this.filters = this.#newFilters();
    const intake = new PeerIntake({
      broker: this.world.broker,
      handler: this.retained ?? this.world.broker,
      repairHandler: this.retained,
      now: () => site.now,
      processorMs: () => site.now,
    });
    const repairHandler = this.retained && intake;
    if (options.largeBytes > 0 || options.roaming) {
      this.bulk = this.#newBulk({ handler: intake, repairHandler });
    }
    this.sync = this.#newSync({ handler: intake, repairHandler });
    if (options.roaming && this.bulk !== undefined) this.roaming = this.#newRoaming(this.bulk);
    this.#joinBroker();
    this.#tick(TICK_MS, () => this.filters?.tick(site.now));
    this.#tick(SECOND_MS, () => {
      // A node stops to look after others before it leaves.
      if (!sim.swim.isOver) this.clients?.tick(site.now);
    });
    this.#tick(SECOND_MS / 4, () => this.bulk?.advance(site.now));
  }

  get isUp(): boolean {
    return this.sim.isRunning;
  }

  ended(): void {
    if (this.#folder !== undefined) this.#site.folders.ended(this.sim.name, this.#folder);
  }

  /** Runs an event of the network or of a client in a turn of its own, after the stall if there is one. */
  deliver(work: () => void): void {
    if (!this.isUp) return;
    if (!this.sim.isStalled) this.#turn(work);
    else if (this.#waiting.length < INBOX_MAX) this.#waiting.push(work);
  }

  peersChanged(): void {
    const { now } = this.#site;
    const { broker } = this.world;
    const peers: Peer[] = [...this.sim.swim.table.online].map((member) => {
      const { address } = endpointOf(member);
      return { name: member.name, bootId: member.bootId, endpoint: { address, port: SYNC_PORT } };
    });
    this.deliver(() => {
      this.sync.setPeers(peers, now);
      for (const peer of peers) broker.addSiteNode(bootSeed(peer.bootId));
      this.bulk?.setPeers(peers, now);
      this.roaming?.setPeers(peers);
      this.#replication.setMembers(
        peers.map(({ bootId }) => bootId),
        now,
      );
    });
  }

  state(): Buffer {
    return this.#replication.state(this.#site.now);
  }

  received(bootId: bigint, bytes: Buffer, isMessage: boolean): void {
    const { now } = this.#site;
    this.#turn(() => {
      if (isMessage) this.#replication.handleMessage(bootId, bytes, now);
      else this.#replication.handleState(bootId, bytes, now);
    });
  }

  resumed(): void {
    for (const work of this.#waiting.splice(0)) this.deliver(work);
    this.#turn(() => undefined);
  }

  #turn(work: () => void): void {
    const { now } = this.#site;
    this.world.now = now;
    this.world.beginTurn();
    work();
    if (this.world.broker.nextDeadline() <= now) this.world.broker.advance(now);
    if (this.sync.nextDeadline() <= now) this.sync.advance(now);
    if (this.#replication.deadline <= now) this.#replication.advance(now);
    this.#endTurn(now);
  }

  #endTurn(now: number): void {
    if (this.#isFlushDue) {
      this.#isFlushDue = false;
      this.sync.flush(now);
    }
    this.clients?.flush();
    if (this.#isGroupFlushDue || this.#groupFlushAt <= now) {
      this.#isGroupFlushDue = false;
      this.#groupFlushAt = this.groups?.flush(now) ?? Number.POSITIVE_INFINITY;
    }
  }

  /** Every timer of the node: an empty turn does what is due. */
  #tick(ms: number, work: () => void): void {
    this.#site.at(ms, () => {
      if (!this.isUp) return;
      if (!this.sim.isStalled) this.#turn(work);
      this.#tick(ms, work);
    });
  }

  /** As startOfClock() in src/node/replication/replication.ts; one box in five has no clock. */
  #startOfClock(random: () => number): number {
    let start = random() < 0.2 ? 0 : WALL_CLOCK_MS + random() * 1e7;
    for (const { time } of this.#folder?.state.registers.registers ?? []) {
      start = Math.max(start, time);
    }
    return start;
  }

  /** As attachJournal() in src/node/storage.ts. */
  #capture(): void {
    const { broker } = this.world;
    const { retained } = this;
    const site = this.#site;
    this.#folder?.journal.useCapture(function* capture(writer) {
      yield* broker.exportState(writer, site.now);
      yield* retained?.export(writer) ?? [];
    });
  }

  get #shared() {
    const site = this.#site;
    return {
      bootId: this.sim.bootId,
      nodeName: this.sim.name,
      clock: this.#clock,
      broker: this.world.broker,
      now: () => site.now,
      send: (to: bigint, bytes: Buffer) => this.sim.swim.sendApplication(to, bytes),
      messageBytesMax: APPLICATION_BYTES_MAX,
      nameOf: (bootId: bigint) => this.sim.swim.table.byBoot(bootId)?.name ?? 'another node',
    };
  }

  #add(id: number, name: string, map: ReplicatedMap): void {
    this.#replication.add(id, map);
    this.maps.set(name, map);
  }

  #newClients(): ClusterClients {
    const clients = new ClusterClients(this.#shared);
    clients.close();
    this.#add(MapId.clients, 'clients', clients);
    return clients;
  }

  #newRetained(): RetainedReplication {
    const retained = new RetainedReplication({
      ...this.#shared,
      topics: ['#'],
      registersMax: SITE_REGISTERS_MAX,
      tombstoneMs: DAY_MS,
      store: this.#folder?.journal,
      watcher: this.clients?.mistaken,
    });
    if (this.#folder !== undefined) retained.restore(this.#folder.state.registers);
    this.#add(MapId.retained, 'retained', retained);
    return retained;
  }

  #newGroups(): GroupTable {
    const groups = new GroupTable({
      ...this.#shared,
      now: this.#site.now,
      flushDue: () => {
        this.#isGroupFlushDue = true;
      },
      refused: () => undefined,
    });
    this.#add(MapId.groups, 'groups', groups);
    return groups;
  }

  #newFilters(): ClusterFilters {
    const { subscribedFilters: subscribed } = this.world.broker;
    const filters = new ClusterFilters({ ...this.#shared, subscribed });
    filters.close();
    this.#add(MapId.filters, 'filters', filters);
    return filters;
  }

  #newBulk(handlers: Handlers): BulkNode {
    const site = this.#site;
    return new BulkNode({
      ...handlers,
      bootId: this.sim.bootId,
      publishBytesMax: site.options.largeBytes,
      log: silentLogger,
      now: site.now,
      interest: this.filters,
      dial: (peer, events) => {
        const to = site.nodeAt(peer.endpoint.address);
        return openPipe(site, this, to, (stream) => to!.bulk!.accept(stream, site.now), events);
      },
    });
  }

  #newSync(handlers: Handlers): SyncNode {
    const site = this.#site;
    const { keys, encrypt, datagramBytes, queueLength, queuePolicy } = site.options;
    return new SyncNode({
      ...handlers,
      bootId: this.sim.bootId,
      keys,
      encrypt,
      topics: ['#'],
      datagramBytes,
      queueLength,
      queuePolicy,
      receiveBufferBytes: 4_000_000,
      expectsPeers: true,
      localPort: SYNC_PORT,
      now: site.now,
      log: silentLogger,
      interest: this.filters,
      large: this.bulk,
      outbox: {
        send: (datagram, to) => {
          site.carry(this, to, datagram);
          return true;
        },
        isReady: () => true,
      },
      group: this.isInGroup
        ? {
            networkOf: () => 'lan',
            send: (datagram) => {
              site.carryToGroup(this, datagram);
              return true;
            },
          }
        : undefined,
      randomNonce: () => site.nonce(),
      isSuspect: (name) => this.sim.swim.table.get(name)?.state === 'suspect',
    });
  }

  #newRoaming(bulk: BulkNode): RoamingSessions | undefined {
    const { clients } = this;
    const site = this.#site;
    if (clients === undefined) return undefined;
    const roaming = new RoamingSessions({
      bootId: this.sim.bootId,
      broker: this.world.broker,
      channel: bulk,
      places: {
        writerOf: (clientId) => clients.writerOf(clientId),
        claim: (clientId) => {
          clients.claim(clientId);
          this.filters?.announceNow(site.now);
        },
      },
      now: () => site.now,
      later: (ms, work) => site.at(ms, () => this.deliver(work)),
    });
    bulk.onFrame = (peer, kind, body) => roaming.receive(peer, kind, body);
    this.world.broker.sessionRoaming = roaming;
    return roaming;
  }

  #joinBroker(): void {
    const { broker } = this.world;
    const { sync } = this;
    broker.seed = bootSeed(this.sim.bootId);
    broker.onDeferred = () => {
      this.#site.at(0, () => this.deliver(() => broker.runDeferred(this.#site.now)));
    };
    const channel: Parameters<RetainedReplication['use']>[0] = {
      get lastNumber() {
        return sync.lastNumber;
      },
      get repairRoom() {
        return sync.repairRoom;
      },
      get publishBytesMax() {
        return sync.publishBytesMax;
      },
      get isIdle() {
        return sync.isIdle;
      },
      forward: (view, topic, clientId, stamp) => {
        this.#isFlushDue = true;
        return sync.forward(view, topic, clientId, stamp);
      },
      sendRepair: (to, head, packets) => sync.sendRepair(to, head, packets),
    };
    this.retained?.use(channel);
    broker.forwarder = this.retained ?? channel;
    if (this.clients !== undefined) broker.clientDirectory = this.clients;
    const { groups } = this;
    if (groups === undefined) return;
    broker.groupSharing = { open: (name, filter, members) => groups.open(name, filter, members) };
  }
}
