// The replicated state of this node, joined to the cluster: what pings carry, messages of members, the
// timer of the core. Knows no sockets.

import { performance } from 'node:perf_hooks';
import type { Broker } from '../../broker/broker.ts';
import type { SysTopics } from '../../broker/sys-topics.ts';
import type { SharedOptions } from '../../config/shared-options.ts';
import type { SyncChannel } from '../../net/cluster/sync-channel.ts';
import { ClusterClock } from '../../replica/cluster-clock.ts';
import { MapId } from '../../replica/codec.ts';
import type {
  RegisterStore,
  RegisterWriter,
  StoredRegisters,
} from '../../replica/register-store.ts';
import { Replication } from '../../replica/replication.ts';
import { BridgePlaces } from '../bridges/bridge-places.ts';
import { NodeStatuses } from '../status/node-statuses.ts';
import { ClusterClients } from './client-directory.ts';
import { ClusterFilters } from './filter-directory.ts';
import { RetainedReplication } from './retained-replication.ts';
import { SharedGroups } from './shared-groups.ts';

/** A wall clock before this is that of a box without a battery: 2026-11-01. */
const PLAUSIBLE_WALL_CLOCK_MS = Date.UTC(2026, 10, 1);

/** The channel to single members: gossip. */
export interface MemberChannel {
  sendApplication(member: bigint, bytes: Buffer): void;
  readonly applicationBytesMax: number;
}

export interface ReplicationOptions {
  readonly bootId: bigint;
  readonly topics: readonly string[];
  readonly registersMax: number;
  /** -memory-limit. */
  readonly memoryBytesMax: number;
  readonly tombstoneMs: number;
  readonly broker: Broker;
  /** What -data keeps, and what it has kept. */
  readonly journal: (RegisterStore & { readonly found: StoredRegisters }) | undefined;
  readonly channel: MemberChannel;
  readonly retainedSync: boolean;
  readonly clientTakeover: boolean;
  readonly nodeName: string;
  readonly sharedOptions: SharedOptions;
  readonly sharedGroups: 'node' | 'cluster';
  /** -forward=interest: nodes announce what they subscribe to. */
  readonly announcesFilters: boolean;
  /** Name of the node, for the log. */
  nameOf(bootId: bigint): string;
}

export class ClusterReplication {
  readonly retained: RetainedReplication | undefined;
  readonly clients: ClusterClients | undefined;
  readonly nodes: NodeStatuses;
  readonly groups: SharedGroups | undefined;
  readonly filters: ClusterFilters | undefined;
  readonly bridges: BridgePlaces;
  readonly #core: Replication;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #isClosed = false;

  constructor(options: ReplicationOptions) {
    const { journal, channel } = options;
    const stored = [...(journal?.found.registers ?? [])];
    const clock = new ClusterClock(performance.now(), startOfClock(stored));
    this.#core = new Replication(clock);
    const shared = {
      ...options,
      clock,
      now: () => performance.now(),
      store: journal,
      send: (member: bigint, message: Buffer) => channel.sendApplication(member, message),
      messageBytesMax: channel.applicationBytesMax,
    };
    if (options.clientTakeover) {
      this.clients = new ClusterClients(shared);
      this.#core.add(MapId.clients, this.clients);
    }
    if (options.retainedSync) {
      this.retained = new RetainedReplication({ ...shared, watcher: this.clients?.mistaken });
      if (journal !== undefined) this.retained.restore(journal.found);
      this.#core.add(MapId.retained, this.retained);
    }
    this.nodes = new NodeStatuses(shared);
    this.#core.add(MapId.nodes, this.nodes);
    this.bridges = new BridgePlaces(shared);
    this.#core.add(MapId.bridges, this.bridges);
    if (options.sharedGroups === 'cluster') {
      this.groups = new SharedGroups(shared);
      this.#core.add(MapId.groups, this.groups.table);
    }
    if (options.announcesFilters) {
      this.filters = new ClusterFilters({
        ...shared,
        subscribed: options.broker.subscribedFilters,
      });
      this.#core.add(MapId.filters, this.filters);
    }
  }

  use(sync: SyncChannel): void {
    this.retained?.use(sync);
    this.#schedule();
  }

  addMetrics(sys: SysTopics): void {
    const { retained, clients, groups, filters } = this;
    if (retained !== undefined) {
      const malformed = (): number => this.#core.malformed;
      sys.addSource('retained', () => ({ ...retained.metrics(), malformed: malformed() }));
    }
    if (clients !== undefined) sys.addSource('clients', () => clients.metrics());
    if (groups !== undefined) sys.addSource('groups', () => groups.metrics());
    if (filters !== undefined) sys.addSource('interest', () => filters.metrics());
  }

  /** What pings and acks carry. */
  state(): Buffer {
    return this.#core.state(performance.now());
  }

  /** @param bytes valid during the call only */
  receive(member: bigint, bytes: Buffer, isMessage: boolean): void {
    const now = performance.now();
    if (isMessage) this.#core.handleMessage(member, bytes, now);
    else this.#core.handleState(member, bytes, now);
    this.#schedule();
  }

  /** The members that are online now, by boot id. */
  setMembers(members: readonly bigint[]): void {
    this.#core.setMembers(members, performance.now());
    this.#schedule();
  }

  /** Writes all versions, for a snapshot. */
  export(writer: RegisterWriter): Iterable<void> {
    return this.retained?.export(writer) ?? [];
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.clients?.close();
    this.nodes.close();
    this.bridges.close();
    this.groups?.close();
    this.filters?.close();
  }

  #schedule(): void {
    const { deadline } = this.#core;
    if (this.#isClosed || deadline >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = deadline;
    const delayMs = Math.max(0, Math.ceil(deadline - performance.now()));
    this.#timer = setTimeout(() => this.#advance(), delayMs);
    this.#timer.unref();
  }

  #advance(): void {
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.#core.advance(performance.now());
    this.#schedule();
  }
}

/** At the highest time that was stored, or at the wall clock where it is plausible. */
function startOfClock(stored: readonly { readonly time: number }[]): number {
  const wallClock = Date.now();
  let start = wallClock >= PLAUSIBLE_WALL_CLOCK_MS ? wallClock : 0;
  for (const { time } of stored) start = Math.max(start, time);
  return start;
}
