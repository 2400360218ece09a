// The log lines of membership. Turns member events and faults of links into words, with port,
// direction and what to do. Decides nothing: the core has judged the evidence. Invariants: what another
// node can cause at any rate is logged at a limited rate; each warning has a line when all is well again.

import {
  type Endpoint,
  formatEndpoint,
  formatHostPort,
  type HostPort,
} from '../../shared/endpoint.ts';
import type { EnvelopeFault } from '../../shared/envelope.ts';
import type { Logger } from '../../shared/logger.ts';
import { OngoingFaults } from '../../shared/ongoing-faults.ts';
import { endpointOf, type Member } from '../../swim/member-table.ts';
import type { MemberEvent } from '../../swim/membership.ts';
import { isOnline } from '../../swim/record.ts';
import type { Swim } from '../../swim/swim.ts';
import { type NameInUseError, type NameRival, type RivalKind, rivalHint } from './name-rival.ts';

/** Warnings about datagrams of other nodes; each is over when no such datagram came for QUIET_MS. */
const STRANGERS = {
  unknownKey: {
    event: 'datagrams with another cluster token (-csk) or cluster name were dropped',
    over: 'no more datagrams with another cluster token (-csk) or cluster name',
  },
  wrongMode: {
    event: 'datagrams of a node with another setting of -encrypt were dropped',
    over: 'no more datagrams of a node with another setting of -encrypt',
  },
  nameClaimed: {
    event: 'another node with our name was refused',
    over: 'no other node claims our name any more',
  },
} as const;

type Stranger = keyof typeof STRANGERS;

const QUIET_MS = 120_000;

/** A direction of a link that fails. The line at its end is in GossipLog.#links, under the same key. */
interface LinkFault {
  readonly key: string;
  readonly warn: () => void;
}

export class GossipLog {
  readonly #log: Logger;
  readonly #seeds: readonly HostPort[];
  /** Of this node's gossip socket. */
  #port = 0;
  readonly #faults = new OngoingFaults();
  /** Faults of links that lasted at the last review: key to the line at the end. */
  readonly #links = new Map<string, { member: string | undefined; event: string }>();
  #rival: NameRival | undefined;
  /** When the last datagram of that kind came. */
  readonly #strangersAt = new Map<Stranger, number>();

  constructor(log: Logger, seeds: readonly HostPort[]) {
    this.#log = log;
    this.#seeds = seeds;
  }

  set port(port: number) {
    this.#port = port;
  }

  /** Directions of links that fail at present. */
  get linkFaults(): number {
    return this.#links.size;
  }

  member({ kind, name, endpoint, reason, sinceAnswerMs }: MemberEvent): void {
    const level = kind === 'suspect' || kind === 'offline' ? 'warn' : 'info';
    this.#log[level](`cluster ${kind} ${name} ${formatEndpoint(endpoint)}`, {
      reason,
      sinceAnswerMs: sinceAnswerMs === undefined ? undefined : Math.round(sinceAnswerMs),
    });
  }

  /** Without this line two nodes with different tokens would see nothing of each other, silently. */
  envelopeFault(now: number, fault: EnvelopeFault, from: Endpoint, total: number): void {
    if (fault !== 'unknownKey' && fault !== 'wrongMode') return;
    this.#stranger(now, fault, { address: formatEndpoint(from), total });
  }

  /** This node keeps its name, and refuses another one that claims it. */
  nameClaimed(now: number, name: string, claimant: Endpoint, kind: RivalKind): void {
    const address = formatEndpoint(claimant);
    this.#rival = { endpoint: claimant, kind, isHolder: false, since: now };
    this.#stranger(now, 'nameClaimed', { name, address, hint: rivalHint(kind) });
  }

  /** This node has left the cluster, and goes on serving its clients; called for each attempt to return. */
  nameLost(now: number, { holder, kind, message, cure }: NameInUseError): void {
    const since = this.#rival?.since ?? now;
    this.#rival = { endpoint: holder, kind, isHolder: true, since };
    const isDue = this.#faults.report('name lost', now);
    if (isDue) this.#log.error('cluster name lost', { reason: message, hint: cure });
  }

  nameRegained(now: number): void {
    const lastedMs = this.#faults.resolve('name lost', now);
    if (lastedMs === undefined) return;
    this.#rival = undefined;
    this.#log.info('cluster name regained', { lastedMs });
  }

  get nameRival(): NameRival | undefined {
    return this.#rival;
  }

  /** To be called about once a protocol period. */
  review(now: number, swim: Swim): void {
    this.#reviewStrangers(now);
    this.#reviewAlone(now, swim);
    this.#reviewLinks(now, swim);
  }

  #stranger(now: number, kind: Stranger, fields: Readonly<Record<string, string | number>>): void {
    this.#strangersAt.set(kind, now);
    if (this.#faults.report(kind, now)) this.#log.warn(STRANGERS[kind].event, fields);
  }

  #reviewStrangers(now: number): void {
    for (const [kind, at] of this.#strangersAt) {
      if (now - at < QUIET_MS) continue;
      this.#strangersAt.delete(kind);
      if (kind === 'nameClaimed') this.#rival = undefined;
      if (this.#faults.resolve(kind, now) !== undefined) this.#log.info(STRANGERS[kind].over);
    }
  }

  #reviewAlone(now: number, swim: Swim): void {
    if (this.#seeds.length === 0) return;
    if (swim.table.size > 0) {
      const lastedMs = this.#faults.resolve('alone', now);
      if (lastedMs !== undefined) this.#log.info('another node answers', { lastedMs });
    } else if (this.#faults.report('alone', now)) {
      const ports = [...new Set([this.#port, ...this.#seeds.map(({ port }) => port)])].join(', ');
      this.#log.warn('no other node answers yet; keeps trying', {
        seeds: this.#seeds.map(formatHostPort).join(','),
        hint: `is one of them running, with the same -csk? udp ${ports} must be open in both directions, there and here`,
      });
    }
  }

  #reviewLinks(now: number, swim: Swim): void {
    const lasting = new Set<string>();
    for (const { key, warn } of this.#linkFaults(now, swim)) {
      lasting.add(key);
      if (this.#faults.report(key, now)) warn();
    }
    for (const [key, { member, event }] of this.#links) {
      if (lasting.has(key)) continue;
      this.#links.delete(key);
      const state = member === undefined ? 'alive' : swim.table.get(member)?.state;
      // A member that is offline or left for another reason has a line of its own.
      const isWell = state !== undefined && isOnline(state) && !swim.isCutOff(now);
      if (!isWell) this.#faults.forget(key);
      const lastedMs = this.#faults.resolve(key, now);
      if (lastedMs !== undefined) this.#log.info(event, { lastedMs });
    }
  }

  #linkFaults(now: number, swim: Swim): LinkFault[] {
    const unheardBy: LinkFault[] = [];
    const faults: LinkFault[] = [];
    let hearers = 0;
    for (const member of swim.table.all()) {
      const { outgoing, incoming } = swim.reachability(now, member);
      if (outgoing === 'ok') hearers += 1;
      const { name } = member;
      if (outgoing === 'failing') unheardBy.push(this.#outgoing(name, endpointOf(member), member));
      if (incoming === 'failing') faults.push(this.#incoming(member));
    }
    for (const { name, endpoint } of swim.unheardBoots(now)) {
      unheardBy.push(this.#outgoing(name ?? `the node at ${endpoint.address}`, endpoint));
    }
    if (unheardBy.length > 1 && hearers === 0) faults.push(this.#outgoingToAll(unheardBy.length));
    else faults.push(...unheardBy);
    if (swim.isCutOff(now)) faults.push(this.#cutOff());
    return faults;
  }

  #outgoing(name: string, { address, port }: Endpoint, member?: Member): LinkFault {
    const hint = member?.isNacked
      ? `incoming udp ${port} is blocked there: other nodes get no answer from it either`
      : `incoming udp ${port} is blocked there, or outgoing udp here`;
    return this.#linkFault(
      `to ${name}`,
      name,
      `${name} hears us again on udp ${port}`,
      `${name} does not hear us on udp ${port}`,
      { address: formatEndpoint({ address, port }), hint },
    );
  }

  #incoming(member: Member): LinkFault {
    const { name } = member;
    const hint = `incoming udp ${this.#port} is blocked here, or outgoing udp there; other nodes reach it`;
    return this.#linkFault(
      `from ${name}`,
      name,
      `${name} is heard again on udp ${this.#port}`,
      `${name} is not heard on udp ${this.#port}`,
      { address: formatEndpoint(endpointOf(member)), hint },
    );
  }

  #outgoingToAll(nodes: number): LinkFault {
    return this.#linkFault(
      'to all',
      undefined,
      `other nodes hear us again on udp ${this.#port}`,
      `no other node hears us on udp ${this.#port}`,
      { nodes, hint: `outgoing udp ${this.#port} is blocked here` },
    );
  }

  #cutOff(): LinkFault {
    const hint = `are the other nodes or the network down? if not, incoming udp ${this.#port} is blocked here, or outgoing udp there`;
    return this.#linkFault(
      'from all',
      undefined,
      `other nodes are heard again on udp ${this.#port}`,
      `no other node is heard on udp ${this.#port}`,
      { hint },
    );
  }

  #linkFault(
    key: string,
    member: string | undefined,
    over: string,
    event: string,
    fields: Readonly<Record<string, string | number>>,
  ): LinkFault {
    this.#links.set(key, { member, event: over });
    return { key, warn: () => this.#log.warn(event, fields) };
  }
}
