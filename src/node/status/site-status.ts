// Gathers the facts for the verdict (verdict.ts) from the parts of this node: members, links, disk,
// queues. Samples the counters whose last minute counts. Changes nothing.

import { performance } from 'node:perf_hooks';
import type { Broker } from '../../broker/broker.ts';
import type { ValuesOf } from '../../metrics/metric-list.ts';
import { RecentIncrease } from '../../shared/recent-increase.ts';
import { version } from '../../shared/version.ts';
import type { BulkStatus } from '../../sync/bulk-node.ts';
import { wallTime } from '../wall-time.ts';
import type { ClusterStatus, MemberStatus } from './cluster-status.ts';
import { type NodeFigures, NodeGauge } from './node-gauge.ts';
import {
  type InvalidFiles,
  type LinkTrouble,
  type LostBridge,
  type NameTrouble,
  NO_TROUBLES,
  type NodeTroubles,
} from './node-troubles.ts';
import {
  judge,
  type LinkFacts,
  LOSS_WARNING,
  type NodeFacts,
  type SiteFacts,
  type Verdict,
} from './verdict.ts';

const SAMPLE_MS = 5000;
/** A connection that failed for less is about to be opened again. */
const BULK_FAILURE_MS = 10_000;
/** A clock before this has not been set since the box was switched on. */
const CLOCK_SET_AFTER = Date.UTC(2024, 0, 1);

export interface SiteStatusOptions {
  readonly broker: Broker;
  readonly nodeName: string;
  /** Whether -mbs names other nodes. */
  readonly expectsOthers: boolean;
  /** Undefined without -csk. */
  readonly cluster: ClusterStatus | undefined;
  readonly gossipPort: number;
  readonly syncPort: number;
  /** Undefined without -data. */
  readonly disk: { readonly folder: string; readonly isAccepting: () => boolean } | undefined;
  readonly lostBridges: () => readonly LostBridge[];
  /** The connections of -large and -roaming. */
  readonly bulk: () => readonly BulkStatus[];
  /** Changes with each write of a retained value; undefined where values are not replicated. */
  readonly retainedHash: () => number | undefined;
  /** Addresses of boxes on this network with another token or cluster name. */
  readonly strangers: () => readonly string[];
}

/** Messages to and from one peer that arrived, and that were lost. */
interface PeerTraffic {
  readonly sent: RecentIncrease;
  readonly sentLost: RecentIncrease;
  readonly received: RecentIncrease;
  readonly receivedLost: RecentIncrease;
}

export class SiteStatus {
  readonly #options: SiteStatusOptions;
  readonly #gauge: NodeGauge;
  readonly #startedAt = performance.now();
  readonly #dropped = new RecentIncrease();
  readonly #overload = { dropped: new RecentIncrease(), starved: new RecentIncrease() };
  #traffic = new Map<string, PeerTraffic>();
  #figures: NodeFigures;
  /** ms of performance.now(); undefined while the disk takes changes. */
  #refusingSince: number | undefined;
  /** What the last reload refused, by what was read. */
  readonly #invalid = new Map<'configuration' | 'files', readonly string[]>();
  #invalidSince: number | undefined;
  readonly #timer: NodeJS.Timeout;

  constructor(options: SiteStatusOptions) {
    this.#options = options;
    this.#gauge = new NodeGauge(options.broker);
    this.#figures = this.#gauge.measure();
    this.#sample();
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS);
    this.#timer.unref();
  }

  /** Clients, rates and load of this node at the last sample. */
  get figures(): NodeFigures {
    return this.#figures;
  }

  verdict(): Verdict {
    return judge(this.facts());
  }

  facts(): SiteFacts {
    const { cluster, expectsOthers, strangers } = this.#options;
    const members = cluster?.members() ?? [];
    return {
      now: Date.now(),
      nodes: cluster === undefined ? [this.#ownFacts()] : members.map((one) => this.#factsOf(one)),
      links: this.#links(members),
      otherLinks: otherLinks(members),
      strangers: strangers(),
      isClustered: cluster !== undefined,
      expectsOthers,
    };
  }

  /** @param problems empty: all of it is in force */
  noteInvalid(read: 'configuration' | 'files', problems: readonly string[]): void {
    this.#invalid.set(read, problems);
    const isValid = [...this.#invalid.values()].every(({ length }) => length === 0);
    this.#invalidSince = isValid ? undefined : (this.#invalidSince ?? performance.now());
  }

  get #invalidFiles(): InvalidFiles | undefined {
    const [problem, ...others] = [...this.#invalid.values()].flat();
    if (problem === undefined || this.#invalidSince === undefined) return undefined;
    return { problem, others: others.length, since: wallTime(this.#invalidSince) };
  }

  /** What is wrong on this node alone. */
  get ownTroubles(): NodeTroubles {
    const { disk, lostBridges, cluster } = this.#options;
    this.#noteDisk();
    const refusing = this.#refusingSince;
    const now = Date.now();
    return {
      disk:
        disk === undefined || refusing === undefined
          ? undefined
          : { folder: disk.folder, refusingSince: wallTime(refusing) },
      lostBridges: lostBridges(),
      droppedMessages: this.#dropped.value,
      overload: { dropped: this.#overload.dropped.value, starved: this.#overload.starved.value },
      nameRival: this.#nameRival,
      unsetClock: now < CLOCK_SET_AFTER ? now : undefined,
      links: this.#linkTroubles(cluster?.members() ?? []),
      usedAddress: cluster?.usedAddress(),
      invalidFiles: this.#invalidFiles,
    };
  }

  #linkTroubles(members: readonly MemberStatus[]): LinkTrouble[] {
    const { nodeName } = this.#options;
    return this.#links(members)
      .filter(({ isBlocked, lossShare = 0 }) => isBlocked || lossShare >= LOSS_WARNING)
      .map(({ from, to, ...link }) => {
        const isIncoming = to === nodeName;
        return { ...link, peer: isIncoming ? from : to, isIncoming };
      })
      .sort((a, b) => Number(b.isBlocked) - Number(a.isBlocked));
  }

  get #nameRival(): NameTrouble | undefined {
    const rival = this.#options.cluster?.nameRival;
    if (rival === undefined) return undefined;
    const { endpoint, kind, isHolder, since } = rival;
    return { address: endpoint.address, kind, isHolder, since: wallTime(since) };
  }

  /** Changes with each write of a retained value in the cluster; 0 where values are not replicated. */
  get retainedHash(): number {
    return this.#options.retainedHash() ?? 0;
  }

  metrics(): ValuesOf<'site'> {
    const { sentence, faults } = this.verdict();
    return { verdict: sentence, faults: faults.length };
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #noteDisk(): void {
    if (this.#options.disk?.isAccepting() !== false) this.#refusingSince = undefined;
    else this.#refusingSince ??= performance.now();
  }

  #sample(): void {
    const { broker, cluster } = this.#options;
    const now = performance.now();
    this.#figures = this.#gauge.measure();
    this.#dropped.sample(broker.stats.publishDropped, now);
    this.#overload.dropped.sample(cluster?.intake.dropped ?? 0, now);
    this.#overload.starved.sample(cluster?.intake.starved ?? 0, now);
    this.#noteDisk();
    const before = this.#traffic;
    // Peers that are gone from the list leave no samples behind.
    this.#traffic = new Map();
    for (const { member, peer } of cluster?.members() ?? []) {
      if (peer === undefined) continue;
      const traffic = before.get(member.name) ?? newTraffic();
      const { counters, unconfirmed } = peer;
      traffic.sent.sample(counters.sentMessages, now);
      traffic.sentLost.sample(counters.lostOutMessages + unconfirmed, now);
      traffic.received.sample(counters.receivedMessages, now);
      traffic.receivedLost.sample(counters.lostMessages, now);
      this.#traffic.set(member.name, traffic);
    }
  }

  #ownFacts(): NodeFacts {
    const { clients, receivedPerSecond, loadPercent } = this.#figures;
    return {
      name: this.#options.nodeName,
      isSelf: true,
      state: 'alive',
      since: wallTime(this.#startedAt),
      version,
      clients,
      messagesPerSecond: receivedPerSecond,
      loadPercent,
      differingOptions: [],
      retainedDifferSince: undefined,
      clockAheadMs: undefined,
      troubles: this.ownTroubles,
    };
  }

  #factsOf(status: MemberStatus): NodeFacts {
    const { member, since, own, differingOptions, retainedDifferSince } = status;
    const clockAheadMs = own?.clockAheadMs;
    if (member.isSelf) return { ...this.#ownFacts(), clockAheadMs };
    return {
      name: member.name,
      isSelf: false,
      state: member.state,
      since,
      version: member.metadata.version,
      clients: own?.clients,
      messagesPerSecond: own?.receivedPerSecond,
      loadPercent: own?.loadPercent,
      differingOptions,
      retainedDifferSince,
      clockAheadMs,
      troubles: own?.troubles ?? NO_TROUBLES,
    };
  }

  #links(members: readonly MemberStatus[]): LinkFacts[] {
    return [...members.flatMap((member) => this.#linksOf(member)), ...this.#bulkLinks(members)];
  }

  /** A direction that fails for a while, and one of which nothing comes though the other one works. */
  #bulkLinks(members: readonly MemberStatus[]): LinkFacts[] {
    const { nodeName, syncPort, bulk } = this.#options;
    const isLong = (since: number | undefined): boolean =>
      since !== undefined && performance.now() - since >= BULK_FAILURE_MS;
    // Another setting of -large or -roaming is a fault of its own.
    const isOther = (name: string): boolean =>
      members.some(
        ({ member, differingOptions }) =>
          member.name === name && differingOptions.some((one) => /^-(large|roaming)=/.test(one)),
      );
    return bulk().flatMap(({ peer, failure, incomingSince, outgoingSince }): LinkFacts[] => {
      if (isOther(peer.name)) return [];
      const link = { protocol: 'TCP', lossShare: undefined } as const;
      const out = { ...link, from: nodeName, to: peer.name, port: peer.endpoint.port };
      const isSilent = incomingSince === undefined && isLong(failure?.since ?? outgoingSince);
      return [
        { ...out, isBlocked: isLong(failure?.since) },
        { ...link, from: peer.name, to: nodeName, port: syncPort, isBlocked: isSilent },
      ];
    });
  }

  /** Both directions on both ports; none of a member that is not online. */
  #linksOf({ member, peer }: MemberStatus): LinkFacts[] {
    const { nodeName, gossipPort, syncPort } = this.#options;
    const { name, isSelf, state, endpoint, reachability, metadata } = member;
    if (isSelf || state !== 'alive') return [];
    const incoming = { from: name, to: nodeName, protocol: 'UDP' } as const;
    const outgoing = { from: nodeName, to: name, protocol: 'UDP' } as const;
    const traffic = this.#traffic.get(name);
    const theirSyncPort = peer?.endpoint?.port ?? metadata.syncPort;
    return [
      gossipLink(incoming, gossipPort, reachability?.incoming),
      gossipLink(outgoing, endpoint.port, reachability?.outgoing),
      {
        ...incoming,
        port: syncPort,
        isBlocked: peer?.incoming === 'failed',
        lossShare: traffic && shareOf(traffic.receivedLost, traffic.received, true),
      },
      {
        ...outgoing,
        port: theirSyncPort,
        isBlocked: peer?.outgoing === 'failed',
        lossShare: traffic && shareOf(traffic.sentLost, traffic.sent, false),
      },
    ];
  }
}

/** What other nodes say of the directions between them; both ends of one may say it. */
function otherLinks(members: readonly MemberStatus[]): LinkFacts[] {
  const others = members.filter(({ member }) => !member.isSelf && member.state === 'alive');
  const names = new Set(others.map(({ member }) => member.name));
  const links = new Map<string, LinkFacts>();
  for (const { member, own } of others) {
    for (const { peer, isIncoming, ...link } of own?.troubles.links ?? []) {
      if (!names.has(peer)) continue;
      const [from, to] = isIncoming ? [peer, member.name] : [member.name, peer];
      const key = JSON.stringify([from, to, link.protocol, link.port]);
      const known = links.get(key);
      const isBlocked = link.isBlocked || known?.isBlocked === true;
      links.set(key, {
        ...link,
        from,
        to,
        isBlocked,
        lossShare: link.lossShare ?? known?.lossShare,
      });
    }
  }
  return [...links.values()];
}

function gossipLink(
  direction: Pick<LinkFacts, 'from' | 'to' | 'protocol'>,
  port: number,
  state: string | undefined,
): LinkFacts {
  return { ...direction, port, isBlocked: state === 'failing', lossShare: undefined };
}

/** @param isBeside whether the lost ones are counted beside the others, and not among them */
function shareOf(
  lost: RecentIncrease,
  messages: RecentIncrease,
  isBeside: boolean,
): number | undefined {
  const all = messages.value + (isBeside ? lost.value : 0);
  return all === 0 ? undefined : Math.min(1, lost.value / all);
}

function newTraffic(): PeerTraffic {
  return {
    sent: new RecentIncrease(),
    sentLost: new RecentIncrease(),
    received: new RecentIncrease(),
    receivedLost: new RecentIncrease(),
  };
}
