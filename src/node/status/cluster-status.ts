// The state of the cluster as this node sees it, as one typed object: each member with its state, its
// address and the traffic with it in both directions. Publishes it under $SYS/broker/cluster, with
// events as they happen. Reads counters and member records; changes nothing.
// Invariant: the number of members that are published is bounded.

import { performance } from 'node:perf_hooks';
import type { Broker } from '../../broker/broker.ts';
import type { LabelledValue } from '../../metrics/metric.ts';
import type { ValuesOf } from '../../metrics/metric-list.ts';
import type { Gossip } from '../../net/cluster/gossip.ts';
import type { MemberView } from '../../net/cluster/gossip-view.ts';
import type { NameRival } from '../../net/cluster/name-rival.ts';
import type { SyncChannel } from '../../net/cluster/sync-channel.ts';
import { type Endpoint, formatEndpoint } from '../../shared/endpoint.ts';
import type { MemberEvent } from '../../swim/membership.ts';
import { newPeerCounters, type PeerCounters } from '../../sync/counters.ts';
import type { LinkEvent } from '../../sync/link-log.ts';
import type { PeerStatus } from '../../sync/peer-status.ts';
import type { NodeStatus, NodeStatuses } from './node-statuses.ts';
import type { UsedAddress } from './node-troubles.ts';

/** Members with topics of their own under $SYS. */
const MEMBERS_MAX = 256;
/** A computed start of a state within this distance of the last one is the same start. */
const SINCE_TOLERANCE_MS = 2000;
const EVENT_TOPIC = 'cluster/event';
/** Why the gossip port drops a datagram: names of its counters. */
const DROP_REASONS = [
  ...(['unknownKey', 'wrongMode', 'badMac', 'short', 'tooLong', 'foreign'] as const),
  ...(['malformed', 'replayed', 'own'] as const),
];

export interface MemberStatus {
  readonly member: MemberView;
  /** Start of its state, milliseconds since the epoch by the clock of this node. */
  readonly since: number;
  /** The traffic on the sync port; undefined for this node and for members never online. */
  readonly peer: PeerStatus | undefined;
  /** What the node says of itself; undefined if it has said nothing. */
  readonly own: NodeStatus | undefined;
  /** Options of it that have to be the same on every node and are not, as `-flag=theirs`. */
  readonly differingOptions: readonly string[];
  /** Up to then its retained messages were the same, as `since`; undefined while they are. */
  readonly retainedDifferSince: number | undefined;
}

/** Messages of peers for which a turn of the event loop had no work left. */
export interface IntakeCounters {
  /** Messages that had to wait for a later turn. */
  delayed: number;
  /** Messages that found no room to wait, or waited for too long. */
  dropped: number;
  /** Of the dropped ones, those that waited because other programs used the processor. */
  starved: number;
}

/** Members whose retained messages are not those of this node, and since when, by a clock that never goes back. */
type DifferingMembers = readonly { readonly member: bigint; readonly agreedAt: number }[];

export class ClusterStatus {
  readonly #gossip: Gossip;
  readonly #sync: SyncChannel;
  readonly #nodes: NodeStatuses;
  readonly #differing: () => DifferingMembers;
  readonly #wallClock: () => number;
  readonly #intake: Readonly<IntakeCounters>;
  readonly #startedAt: number;
  /** As ClientAddresses.used. */
  usedAddress: () => UsedAddress | undefined = () => undefined;
  /** Start of the present state, by name. */
  #since = new Map<string, number>();

  constructor(
    gossip: Gossip,
    sync: SyncChannel,
    nodes: NodeStatuses,
    differing: () => DifferingMembers,
    intake: Readonly<IntakeCounters>,
    wallClock: () => number,
  ) {
    this.#intake = intake;
    this.#differing = differing;
    this.#gossip = gossip;
    this.#sync = sync;
    this.#nodes = nodes;
    this.#wallClock = wallClock;
    this.#startedAt = wallClock();
  }

  /** Where the other nodes see this one; an unspecified address while none does. */
  get seenAt(): Endpoint | undefined {
    return this.#gossip.members().find(({ isSelf }) => isSelf)?.endpoint;
  }

  /** This node first; at most MEMBERS_MAX. */
  members(): MemberStatus[] {
    const peers = new Map<string, PeerStatus>();
    for (const peer of this.#sync.peers()) peers.set(peer.name, peer);
    const startedAt = this.#wallClock() - performance.now();
    const differing = new Map(
      this.#differing().map(({ member, agreedAt }) => [member, Math.round(startedAt + agreedAt)]),
    );
    const since = new Map<string, number>();
    const members = this.#gossip.members().slice(0, MEMBERS_MAX);
    const all = members.map((member) => {
      const start = this.#sinceOf(member);
      since.set(member.name, start);
      const { name } = member;
      const own = this.#nodes.of(name);
      const differingOptions = own === undefined ? [] : this.#nodes.differingOptions(own);
      const retainedDifferSince = differing.get(member.bootId);
      const peer = peers.get(name);
      return { member, since: start, peer, own, differingOptions, retainedDifferSince };
    });
    this.#since = since;
    return all;
  }

  /** As Gossip.nameRival. */
  get nameRival(): NameRival | undefined {
    return this.#gossip.nameRival;
  }

  /** Messages of other nodes that waited here, and those that were lost so. */
  get intake(): Readonly<IntakeCounters> {
    return this.#intake;
  }

  /** Adds the metrics of the cluster to those of the broker. */
  addMetrics(broker: Broker, nodeName: string): void {
    const { sys } = broker;
    const [gossip, sync, intake] = [this.#gossip, this.#sync, this.#intake];
    sys.addSource('cluster', () => ({ node: nodeName, members: membersByState(gossip) }));
    sys.addSource('members', () => memberValues(this.members()));
    sys.addSource('gossip', () => gossipValues(gossip));
    sys.addSource('sync', () => ({
      ...sync.counters,
      delayedMessages: intake.delayed,
      overloadDroppedMessages: intake.dropped,
      starvedDroppedMessages: intake.starved,
      droppedDatagrams: byReason(sync.counters.droppedDatagrams),
    }));
    sys.addSource('peers', () => sumOfPeers(sync));
  }

  /** The age of a state gives its start, within some milliseconds: the first value is kept. */
  #sinceOf({ name, isSelf, stateAgeMs = 0 }: MemberView): number {
    if (isSelf) return this.#startedAt;
    const start = this.#wallClock() - stateAgeMs;
    const known = this.#since.get(name);
    const isSame = known !== undefined && Math.abs(known - start) < SINCE_TOLERANCE_MS;
    return isSame ? known : start;
  }
}

/** Publishes a change of membership as it happens. */
export function publishMemberEvent(
  broker: Broker,
  { kind, name, endpoint, reason }: MemberEvent,
  now: number,
): void {
  const event = { event: kind, node: name, address: formatEndpoint(endpoint), reason };
  broker.publishEvent(EVENT_TOPIC, JSON.stringify(event), now);
}

/** Publishes a change on the sync port as it happens. */
export function publishLinkEvent(
  broker: Broker,
  { kind, direction, peerName, text }: LinkEvent,
  now: number,
): void {
  const event = { event: `sync ${kind}`, node: peerName, direction, text };
  broker.publishEvent(EVENT_TOPIC, JSON.stringify(event), now);
}

function membersByState(gossip: Gossip): LabelledValue<'state'>[] {
  const counts = { alive: 0, suspect: 0, offline: 0, left: 0 };
  for (const member of gossip.members()) counts[member.state] += 1;
  return Object.entries(counts).map(([state, value]) => ({ labels: { state }, value }));
}

function memberValues(members: readonly MemberStatus[]): ValuesOf<'members'> {
  const of = <Value>(read: (status: MemberStatus) => Value | undefined) =>
    members.flatMap((status) => {
      const value = read(status);
      return value === undefined ? [] : [{ labels: { node: status.member.name }, value }];
    });
  const ofPeer = (read: (peer: PeerStatus) => number | undefined) =>
    of(({ peer }) => peer && read(peer));
  const byDirection = <Value>(
    incoming: (status: MemberStatus) => Value | undefined,
    outgoing: (status: MemberStatus) => Value | undefined,
  ) =>
    (['in', 'out'] as const).flatMap((direction) =>
      of(direction === 'in' ? incoming : outgoing).map(({ labels, value }) => ({
        labels: { ...labels, direction },
        value,
      })),
    );
  return {
    state: of(({ member }) => member.state),
    since: of(({ since }) => new Date(since).toISOString().replace(/\.\d+/, '')),
    address: of(({ member }) => formatEndpoint(member.endpoint)),
    version: of(({ member }) => member.metadata.version),
    gossip: byDirection(
      ({ member }) => member.reachability?.incoming,
      ({ member }) => member.reachability?.outgoing,
    ),
    sync: byDirection(
      ({ peer }) => peer?.incoming,
      ({ peer }) => peer?.outgoing,
    ),
    delivery: of(({ peer }) => (peer?.isOnline ? peer.delivery : undefined)),
    rttSeconds: ofPeer(({ rttMs }) => rttMs && Number((rttMs / 1000).toPrecision(3))),
    sentMessages: ofPeer(({ counters }) => counters.sentMessages),
    skippedMessages: ofPeer(({ counters }) => counters.skippedMessages),
    receivedMessages: ofPeer(({ counters }) => counters.receivedMessages),
    lostMessages: byDirection(
      ({ peer }) => peer?.counters.lostMessages,
      ({ peer }) => peer && peer.counters.lostOutMessages + peer.unconfirmed,
    ),
    sentPerSecond: ofPeer(({ sentPerSecond }) => Number(sentPerSecond.toFixed(1))),
    receivedPerSecond: ofPeer(({ receivedPerSecond }) => Number(receivedPerSecond.toFixed(1))),
    datagramBytes: ofPeer(({ datagramBytes }) => datagramBytes),
    clients: of(({ own }) => own?.clients),
    sessions: of(({ own }) => own?.sessions),
    publishReceivedPerSecond: of(({ own }) => own?.receivedPerSecond),
    publishSentPerSecond: of(({ own }) => own?.sentPerSecond),
    load: of(({ own }) => own && own.loadPercent / 100),
  };
}

function gossipValues(gossip: Gossip): ValuesOf<'gossip'> {
  const { counters } = gossip;
  const dropped = DROP_REASONS.map((reason) => ({ labels: { reason }, value: counters[reason] }));
  return { ...counters, droppedDatagrams: dropped };
}

function byReason(counts: Readonly<Record<string, number>>): LabelledValue<'reason'>[] {
  return Object.entries(counts).map(([reason, value]) => ({ labels: { reason }, value }));
}

function sumOfPeers(sync: SyncChannel): PeerCounters {
  const sums = newPeerCounters();
  for (const { counters } of sync.peers()) {
    for (const name of Object.keys(sums) as (keyof PeerCounters)[]) sums[name] += counters[name];
  }
  return sums;
}
