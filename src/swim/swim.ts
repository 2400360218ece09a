// The membership of one node: takes authenticated datagrams and the time, returns datagrams and
// changes of membership. Uses no socket, clock or DNS: `now` is a monotonic number of milliseconds.
// Invariants: handle() never throws; a datagram changes nothing unless the handshake admits it.
// Sources: SWIM (Das et al. 2002), Lifeguard (Dadgar et al. 2018), memberlist.

import type { Endpoint } from '../shared/endpoint.ts';
import { AddressValidation } from './address-validation.ts';
import { decodeMessage, type GossipMessage } from './codec.ts';
import { FailureDetector } from './failure-detector.ts';
import { Handshake, type UnheardBoot } from './handshake.ts';
import { IndirectProbes } from './indirect-probes.ts';
import { Leave } from './leave.ts';
import { LocalHealth } from './local-health.ts';
import { LocalNode } from './local-node.ts';
import { endpointOf, type Member, MemberTable, recordOf } from './member-table.ts';
import { Membership, type Source } from './membership.ts';
import { type MessageFields, MessageSender } from './message-sender.ts';
import { claimOf, NameConflict } from './name-conflict.ts';
import { Nonces } from './nonces.ts';
import { type Reachability, reachabilityOf } from './reachability.ts';
import { isNewerIncarnation, isOnline, type MemberRecord, onlineEndpoints } from './record.ts';
import { SeedSchedule } from './seed-schedule.ts';
import { StateSync } from './state-sync.ts';
import { newSwimCounters, type SwimFigures, type SwimOptions, type SwimPort } from './swim-port.ts';
import { JOIN_MS } from './timing.ts';
import { UpdateQueue } from './update-queue.ts';

const GOSSIP_TICK_MS = 200;
const GOSSIP_TARGETS = 3;
const SEEDS_PER_TURN_MAX = 64;
/** For this time after joining, a difference of the tables leads to a pull at once. */
const NEWCOMER_MS = 10_000;
/** Two boots with the same name are made known to each other at most this often. */
const CONFLICT_INTERVAL_MS = 500;
/** Accusers that are pinged directly in one gossip tick, besides gossiping the refutation. */
const REFUTATION_PINGS_MAX = 5;
const HOUSEKEEPING_MS = 60_000;
const CUT_OFF_PERIODS = 5;

/** joining -> joined -> leaving -> over; a node whose name is refused goes to over at once. */
type Phase = 'joining' | 'joined' | 'leaving' | 'over';

export class Swim {
  readonly counters = newSwimCounters();
  readonly #port: SwimPort;
  readonly #periodMs: number;
  readonly #self: LocalNode;
  readonly #table: MemberTable;
  readonly #updates: UpdateQueue;
  readonly #addressValidation: AddressValidation;
  readonly #handshake: Handshake;
  readonly membership: Membership;
  readonly #sender: MessageSender;
  readonly #failureDetector: FailureDetector;
  readonly #indirectProbes: IndirectProbes;
  readonly #stateSync: StateSync;
  readonly #nameConflict: NameConflict;
  readonly #localHealth = new LocalHealth();
  #phase: Phase = 'joining';
  #gossipAt = 0;
  readonly #seeds: SeedSchedule;
  #housekeepingAt: number;
  readonly #startedAt: number;
  #joinUntil: number;
  #leave: Leave | undefined;
  #reportedVersion = 0;
  #lastHeardAt = 0;
  /** While a message is handled: it says that another boot has our name. */
  #hasNameConflict = false;
  /** While a message is handled: where to send our refutation, once for all its records. */
  #refuteTo: Endpoint | undefined;
  #refutationTickAt = Number.NEGATIVE_INFINITY;
  #refutationPings = 0;

  constructor(options: SwimOptions, port: SwimPort, now: number) {
    const { random, timing } = options;
    this.#port = port;
    this.#periodMs = timing.periodMs;
    const self = new LocalNode(options.self);
    const table = new MemberTable(random);
    const updates = new UpdateQueue(self.name);
    const nonces = new Nonces(random, now);
    const addressValidation = new AddressValidation(nonces);
    const membership = new Membership(table, updates, timing.periodMs, {
      nameClaimed: (at, held, record, source) => this.#nameClaimed(at, held, record, source),
      memberChanged: (event) => port.memberChanged(event),
    });
    const sender = new MessageSender(
      { self, table, updates, nonces },
      options.bodyBytesMax,
      (to, body) => port.send(to, body),
      () => port.applicationState?.(),
    );
    this.#self = self;
    this.#table = table;
    this.#updates = updates;
    this.#addressValidation = addressValidation;
    this.membership = membership;
    this.#sender = sender;
    this.#handshake = new Handshake({ table, nonces, addressValidation, sender }, this.counters);
    this.#failureDetector = new FailureDetector(
      { table, membership, sender, localHealth: this.#localHealth },
      timing,
      self.name,
      now + random() * timing.periodMs,
    );
    this.#indirectProbes = new IndirectProbes(table, sender, timing.pingTimeoutMs);
    this.#stateSync = new StateSync(sender, timing.periodMs);
    this.#nameConflict = new NameConflict(self, sender, (one) => this.#isLocalEndpoint(one));
    this.#seeds = new SeedSchedule(random, now);
    this.#startedAt = now;
    this.#joinUntil = now + options.joinMs;
    this.#housekeepingAt = now + HOUSEKEEPING_MS;
  }

  get self(): LocalNode {
    return this.#self;
  }

  /** Read-only for callers. */
  get table(): MemberTable {
    return this.#table;
  }

  get figures(): SwimFigures {
    const { voidRounds } = this.#failureDetector;
    return {
      healthScore: this.#localHealth.score,
      voidRounds,
      tableFull: this.membership.tableFull,
    };
  }

  get openWork(): { readonly updates: number; readonly indirectProbes: number } {
    return { updates: this.#updates.size, indirectProbes: this.#indirectProbes.size };
  }

  /** True after leaving, or when the name was refused: nothing is sent or handled any more. */
  get isOver(): boolean {
    return this.#phase === 'over';
  }

  /** True once this node holds the table of the first node that accepted it, or has joined alone. */
  get isSynced(): boolean {
    return this.#phase === 'joined' && (this.#table.onlineCount === 0 || this.#stateSync.isSettled);
  }

  reachability(now: number, member: Member): Reachability {
    return reachabilityOf(now, member, this.#periodMs);
  }

  /** Boots that speak to this node and do not hear it, and that are no members for that reason. */
  unheardBoots(now: number): readonly UnheardBoot[] {
    return this.#handshake.unheardBoots(now);
  }

  /** True if no member has been heard for CUT_OFF_PERIODS, though there are some that did not leave. */
  isCutOff(now: number): boolean {
    if (now - this.#lastHeardAt < CUT_OFF_PERIODS * this.#periodMs) return false;
    for (const { link, state } of this.#table.all()) {
      if (link !== undefined && state !== 'left') return true;
    }
    return false;
  }

  /** See Handshake.dropsReplay(). */
  dropsReplay(now: number, from: Endpoint, bootId: bigint, counter: number): boolean {
    return this.#handshake.dropsReplay(now, from, bootId, counter);
  }

  /** When advance() is due; Infinity if it never is. */
  get deadline(): number {
    if (this.#phase === 'over') return Number.POSITIVE_INFINITY;
    if (this.#leave !== undefined) return this.#leave.deadline;
    return Math.min(
      this.#failureDetector.deadline,
      this.#indirectProbes.deadline,
      this.#stateSync.deadline,
      this.#seeds.deadline,
      this.#housekeepingAt,
      this.#phase === 'joining' ? this.#joinUntil : Number.POSITIVE_INFINITY,
      this.membership.nextSuspicionDeadline(),
      this.#hasUpdatesToGossip() ? this.#gossipAt : Number.POSITIVE_INFINITY,
    );
  }

  /** Does everything that is due at `now`. */
  advance(now: number): void {
    if (this.#phase === 'over') return;
    if (this.#phase === 'leaving') {
      this.#advanceLeave(now);
      return;
    }
    if (this.#phase === 'joining' && now >= this.#joinUntil) this.#join(now);
    // Before suspicions: the failure detector notices a stall of this node, and then extends them.
    this.#failureDetector.advance(now);
    this.membership.expireSuspicions(now);
    this.#indirectProbes.advance(now);
    this.#stateSync.advance(now);
    this.#advanceSeeds(now);
    if (now >= this.#housekeepingAt) {
      this.#housekeepingAt = now + HOUSEKEEPING_MS;
      this.#table.removeExpired(now);
    }
    this.#gossip(now);
    this.#reportPeers();
  }

  /**
   * Pings the addresses, except our own and, once this node has joined, those of online members. Before,
   * an online member need not have accepted our name yet. See SwimPort.resolveSeeds.
   * @param bootId of the node that has said, with the token and to this node, that it is there
   */
  contactSeeds(now: number, endpoints: readonly Endpoint[], bootId?: bigint): void {
    if (this.#phase !== 'joining' && this.#phase !== 'joined') return;
    for (const endpoint of endpoints.slice(0, SEEDS_PER_TURN_MAX)) {
      if (this.#isLocalEndpoint(endpoint)) continue;
      if (this.#phase === 'joined' && this.#table.isOnlineAt(endpoint)) continue;
      this.#joinUntil = Math.max(this.#joinUntil, this.#startedAt + JOIN_MS);
      this.#addressValidation.contacted(endpoint, bootId);
      this.#sender.pingEndpoint(now, endpoint);
    }
  }

  /** Announces the departure. The caller goes on with advance() until isOver. */
  leave(now: number): void {
    if (this.#phase === 'leaving' || this.#phase === 'over') return;
    this.#phase = 'leaving';
    this.#self.leave();
    this.#leave = new Leave(this.#self, this.#table, this.#sender, now);
    this.#advanceLeave(now);
  }

  /** Sends bytes of the application to a validated member, without any guarantee. */
  sendApplication(bootId: bigint, bytes: Buffer): void {
    const member = this.#table.byBoot(bootId);
    if (this.#phase !== 'joined' || member?.link === undefined) return;
    this.#sender.application(endpointOf(member), bytes);
  }

  /**
   * Handles one datagram.
   * @param bootId and counter: from the authenticated envelope
   * @param body is not kept
   */
  handle(now: number, from: Endpoint, bootId: bigint, counter: number, body: Buffer): void {
    if (this.#phase === 'leaving' || this.#phase === 'over') return;
    if (bootId === this.#self.bootId) {
      this.counters.own += 1;
      return;
    }
    const message = decodeMessage(body);
    if (message === undefined) {
      this.counters.malformed += 1;
      return;
    }
    this.#hasNameConflict = false;
    const member = this.#table.byBoot(bootId);
    const link = member?.link;
    if (message.kind === 'challenge') {
      this.#handshake.handleChallenge(now, from, bootId, counter, message);
    } else if (member === undefined || link === undefined) {
      this.#handleUnvalidated(now, from, bootId, counter, message);
    } else if (this.#handshake.admits(now, from, member, link, counter, message)) {
      this.#handleValidated(now, from, bootId, message);
    }
    this.#sendRefutation(now);
    this.#reportPeers();
  }

  #handleUnvalidated(
    now: number,
    from: Endpoint,
    bootId: bigint,
    counter: number,
    message: GossipMessage,
  ): void {
    if (!this.#handshake.isFirst(bootId, counter)) return;
    const own = this.#handshake.proofIn(now, bootId, message);
    if (own === undefined) {
      this.#handshake.challengeBoot(now, from, bootId, message);
      return;
    }
    this.#applyRecord(now, own, { kind: 'direct', from, reporter: own.name });
    if (this.#phase === 'over') return;
    const member = this.#table.byBoot(bootId);
    if (member !== undefined) {
      this.membership.validated(now, member, counter, from);
      this.#handleValidated(now, from, bootId, message);
      return;
    }
    // Another boot holds the sender's name. The ack accuses the sender, and its records count only
    // where they are about our own name, which another boot may claim.
    const hearsay: Source = { kind: 'gossip', from, reporter: own.name };
    for (const record of message.records) {
      if (record.name === this.#self.name) this.#applyRecord(now, record, hearsay);
    }
    if (message.kind === 'ping') {
      const bytesMax = message.bodyBytes;
      this.#sender.ack(now, from, { ...this.#ackFields(now, from, message, own), bytesMax });
    }
  }

  #handleValidated(now: number, from: Endpoint, bootId: bigint, message: GossipMessage): void {
    const sender = this.#table.byBoot(bootId);
    if (sender === undefined) return;
    this.membership.heardFrom(now, sender, from);
    this.#lastHeardAt = now;
    const wasOffline = !isOnline(sender.state);
    this.#applyContents(now, from, sender, message);
    if (this.isOver) return;
    this.#dispatch(now, from, sender, message);
    if (!this.#hasNameConflict) this.#passOn(bootId, message);
    if (wasOffline && isOnline(sender.state)) this.#stateSync.start(now, sender);
    else this.#compareTables(now, sender, message);
  }

  #passOn(bootId: bigint, { application, kind }: GossipMessage): void {
    if (application === undefined) return;
    this.#port.applicationReceived?.(bootId, application, kind === 'application');
  }

  /** Applies what a message of any kind carries: observed address, incarnation, records. */
  #applyContents(now: number, from: Endpoint, sender: Member, message: GossipMessage): void {
    const { name, bootId } = sender;
    const direct: Source = { kind: 'direct', from, reporter: name };
    if (message.observed !== undefined) this.#self.observe(message.observed);
    if (isNewerIncarnation(message.incarnation, sender.incarnation)) {
      const { incarnation } = message;
      const alive = { name, bootId, incarnation, state: 'alive', detail: undefined } as const;
      this.membership.apply(now, alive, direct);
    }
    const kind = message.kind === 'page' ? 'page' : 'gossip';
    const hearsay: Source = { kind, from, reporter: name };
    for (const record of message.records) {
      const isOwn = record.bootId === bootId;
      this.#applyRecord(now, record, isOwn ? direct : hearsay);
    }
  }

  #dispatch(now: number, from: Endpoint, sender: Member, message: GossipMessage): void {
    const { sequence } = message;
    switch (message.kind) {
      case 'ping':
        this.#sender.ack(now, from, this.#ackFields(now, from, message, sender));
        break;
      case 'ack':
        this.#failureDetector.handleAck(now, sequence, sender.bootId, message.isIndirect);
        if (message.isIndirect) this.contactSeeds(now, onlineEndpoints(message.records));
        else this.#indirectProbes.handleAck(now, sequence, sender.bootId);
        if (this.#phase === 'joining' && !this.#hasNameConflict) this.#join(now);
        break;
      case 'nack':
        this.#failureDetector.handleNack(sequence);
        break;
      case 'pingReq':
        if (message.target !== undefined) {
          this.#indirectProbes.handleRequest(now, from, sequence, message.target);
        }
        break;
      case 'pull':
        this.#sender.page(now, from, sequence, message.cursor ?? '');
        break;
      case 'page': {
        const last = message.records.at(-1);
        const name = last?.bootId === sender.bootId ? undefined : last?.name;
        this.#stateSync.handlePage(now, sequence, message.isLast, name);
        break;
      }
      default:
        break;
    }
  }

  /** An ack echoes the nonce of the ping, and accuses a sender that is not alive here. */
  #ackFields(
    now: number,
    from: Endpoint,
    message: GossipMessage,
    sender: { readonly name: string; readonly bootId: bigint },
  ): MessageFields {
    const held = this.#table.get(sender.name);
    const isAccused =
      held !== undefined && (held.state !== 'alive' || held.bootId !== sender.bootId);
    const records: MemberRecord[] = isAccused ? [recordOf(held, now, false)] : [];
    if (message.nonce !== undefined) records.push(this.#self.record(now));
    const observed = message.nonce === undefined ? undefined : from;
    const { sequence, nonce: echo } = message;
    return { receiverName: sender.name, sequence, echo, observed, records };
  }

  /** Leaves gossip the time to even out a difference, unless this node has just joined. */
  #compareTables(now: number, sender: Member, message: GossipMessage): void {
    if (this.#phase !== 'joined' || this.#hasNameConflict) return;
    if (!isOnline(sender.state) || message.kind === 'page') return;
    let quietSince =
      this.#updates.size > 0 ? Number.POSITIVE_INFINITY : this.membership.lastChangeAt;
    if (this.#self.nameAgeMs(now) < NEWCOMER_MS) quietSince = Number.NEGATIVE_INFINITY;
    this.#stateSync.compare(now, sender, message.tableHash, quietSince);
  }

  #applyRecord(now: number, record: MemberRecord, source: Source): void {
    if (record.name !== this.#self.name) this.membership.apply(now, record, source);
    else if (record.bootId === this.#self.bootId) this.#refute(record, source);
    else this.#settleNameConflict(now, record, source);
  }

  /** Another node holds us for suspect, offline or left. SWIM paper 4.2. */
  #refute(record: MemberRecord, source: Source): void {
    if (record.state === 'alive') return;
    if (isNewerIncarnation(this.#self.incarnation, record.incarnation)) return;
    this.#self.raiseIncarnation(record.incarnation);
    if (record.state === 'suspect') this.#localHealth.worsen();
    this.#refuteTo = source.from;
  }

  #settleNameConflict(now: number, record: MemberRecord, source: Source): void {
    const verdict = this.#nameConflict.decide(now, record, source);
    // Whatever the verdict, the sender has not accepted us under our name yet.
    this.#hasNameConflict = true;
    if (verdict === 'refute') this.#refuteTo = source.from;
    if (verdict === 'yield') {
      this.#phase = 'over';
      this.membership.clear(now);
      this.#port.nameRefused(claimOf(record, source));
    } else if (source.kind === 'direct' && isOnline(record.state)) {
      this.#port.nameDefended(claimOf(record, source));
    }
  }

  /** Makes the holder and the claimant of a name known to each other; they settle it. */
  #nameClaimed(now: number, held: Member, record: MemberRecord, source: Source): void {
    if (source.kind === 'direct') return;
    if (now - held.conflictReportedAt < CONFLICT_INTERVAL_MS) return;
    held.conflictReportedAt = now;
    this.#sender.sendRecords(now, source.from, [recordOf(held, now, false)]);
    if (record.detail !== undefined) this.#sender.sendRecords(now, endpointOf(held), [record]);
  }

  #sendRefutation(now: number): void {
    const to = this.#refuteTo;
    this.#refuteTo = undefined;
    if (to === undefined || this.#phase === 'over') return;
    this.membership.queue(this.#self.name);
    // A bound, because an accuser may repeat itself whatever the answer is.
    if (now - this.#refutationTickAt >= GOSSIP_TICK_MS) {
      this.#refutationTickAt = now;
      this.#refutationPings = 0;
    }
    this.#refutationPings += 1;
    if (this.#refutationPings > REFUTATION_PINGS_MAX) return;
    this.#sender.pingEndpoint(now, to);
  }

  #join(now: number): void {
    this.#phase = 'joined';
    this.#self.acceptName(now);
    this.#port.joined();
  }

  #advanceSeeds(now: number): void {
    const isAlone = this.#table.onlineCount === 0;
    if (!this.#seeds.isDue(now, isAlone, this.#phase === 'joining')) return;
    const offline = this.#table.randomOffline();
    if (offline !== undefined) this.#sender.pingMember(now, offline, 0);
    this.#port.resolveSeeds();
  }

  #hasUpdatesToGossip(): boolean {
    return this.#updates.size > 0 && this.#table.onlineCount > 0;
  }

  #gossip(now: number): void {
    if (now < this.#gossipAt || !this.#hasUpdatesToGossip()) return;
    this.#gossipAt = now + GOSSIP_TICK_MS;
    for (const member of this.#table.randomOnline(GOSSIP_TARGETS, () => true)) {
      this.#sender.gossip(now, member);
    }
  }

  #advanceLeave(now: number): void {
    this.#leave?.advance(now);
    if (this.#leave?.isDone) this.#phase = 'over';
  }

  #isLocalEndpoint(endpoint: Endpoint): boolean {
    return this.#self.isAt(endpoint) || this.#port.isLocalEndpoint(endpoint);
  }

  #reportPeers(): void {
    if (this.#reportedVersion === this.membership.version) return;
    this.#reportedVersion = this.membership.version;
    this.#port.peersChanged();
  }
}
