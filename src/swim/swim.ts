// One node's part in the cluster: takes authenticated datagrams and the time, gives datagrams and
// changes of membership. No sockets, clocks or DNS: `now` is a monotonic number of milliseconds.
// Invariants: handle() never throws; nothing a boot says counts before it has echoed a nonce of
// ours, and again from each new address; to whom is not proven, no answer is longer than what it
// sent. Sources: SWIM (Das et al. 2002), Lifeguard (Dadgar et al. 2018).

import type { Endpoint } from '../shared/endpoint.ts';
import { AddressValidation } from './address-validation.ts';
import { decodeMessage, type GossipMessage } from './codec.ts';
import { FailureDetector } from './failure-detector.ts';
import { IndirectProbes } from './indirect-probes.ts';
import { Leave } from './leave.ts';
import { LocalHealth } from './local-health.ts';
import { LocalNode } from './local-node.ts';
import { endpointOf, type Member, MemberTable, recordOf } from './member-table.ts';
import { Membership, type Source } from './membership.ts';
import { MessageSender } from './message-sender.ts';
import { NameConflict, placeOf } from './name-conflict.ts';
import { Nonces } from './nonces.ts';
import { isOnline, type MemberRecord } from './record.ts';
import { StateSync } from './state-sync.ts';
import type { SwimCounters, SwimOptions, SwimPort } from './swim-port.ts';
import { UpdateQueue } from './update-queue.ts';

const GOSSIP_TICK_MS = 200;
const GOSSIP_TARGETS = 3;
/** Boxes that are switched on together are up within a second or two of each other. */
const SEEDS_JOINING_MS = 200;
const SEEDS_ALONE_MS = 1000;
const SEEDS_MS = 5000;
const SEEDS_SPREAD = 0.25;
const SEEDS_PER_TURN_MAX = 64;
/** A node that no seed answers for so long is on its own. */
const JOIN_MS = 3000;
/** For so long after joining, a difference of the tables is pulled at once. */
const NEWCOMER_MS = 10_000;
/** The two sides of a name in dispute are told of each other so often at most. */
const CONTEST_INTERVAL_MS = 500;
/** Besides gossip, so many accusers are told directly that we live. */
const ANNOUNCES_PER_TICK_MAX = 5;
const HOUSEKEEPING_MS = 60_000;

type Phase = 'joining' | 'joined' | 'leaving' | 'over';

export class Swim {
  readonly counters: SwimCounters = {
    malformed: 0,
    replayed: 0,
    unproven: 0,
    own: 0,
    challenges: 0,
  };
  readonly #port: SwimPort;
  readonly #random: () => number;
  readonly #self: LocalNode;
  readonly #table: MemberTable;
  readonly #updates: UpdateQueue;
  readonly #nonces: Nonces;
  readonly #places: AddressValidation;
  readonly #membership: Membership;
  readonly #outbox: MessageSender;
  readonly #rounds: FailureDetector;
  readonly #relays: IndirectProbes;
  readonly #pull: StateSync;
  readonly #contest: NameConflict;
  readonly #health = new LocalHealth();
  #phase: Phase = 'joining';
  #gossipAt = 0;
  #seedsAt: number;
  #housekeepingAt: number;
  #joinUntil: number;
  #farewell: Leave | undefined;
  #peersVersion = 0;
  /** While one message is handled: our name was found with another. */
  #isContested = false;
  /** While one message is handled: who is to hear at once that we live, once for all it said. */
  #announceTo: Endpoint | undefined;
  #announcesSince = Number.NEGATIVE_INFINITY;
  #announces = 0;

  constructor(options: SwimOptions, port: SwimPort, now: number) {
    const { random, timing } = options;
    this.#port = port;
    this.#random = random;
    this.#self = new LocalNode(options.self);
    this.#table = new MemberTable(random);
    this.#updates = new UpdateQueue(this.#self.name);
    this.#nonces = new Nonces(random, now);
    this.#places = new AddressValidation(this.#nonces);
    this.#membership = new Membership(this.#table, this.#updates, timing.periodMs, {
      nameContested: (at, held, record, source) => this.#nameContested(at, held, record, source),
      memberChanged: (event) => port.memberChanged(event),
    });
    this.#outbox = new MessageSender(
      { self: this.#self, table: this.#table, updates: this.#updates, nonces: this.#nonces },
      options.bodyBytesMax,
      (to, body) => port.send(to, body),
    );
    this.#rounds = new FailureDetector(
      {
        table: this.#table,
        membership: this.#membership,
        outbox: this.#outbox,
        health: this.#health,
      },
      timing,
      this.#self.name,
      now + random() * timing.periodMs,
    );
    this.#relays = new IndirectProbes(this.#table, this.#outbox, timing.pingTimeoutMs);
    this.#pull = new StateSync(this.#outbox, timing.periodMs);
    this.#contest = new NameConflict(this.#self, this.#outbox, (place) => this.#isOurs(place));
    this.#seedsAt = now;
    this.#joinUntil = options.hasSeeds ? now + JOIN_MS : now;
    this.#housekeepingAt = now + HOUSEKEEPING_MS;
  }

  get self(): LocalNode {
    return this.#self;
  }

  /** To be read only. */
  get table(): MemberTable {
    return this.#table;
  }

  get healthScore(): number {
    return this.#health.score;
  }

  get voidRounds(): number {
    return this.#rounds.voidRounds;
  }

  get queuedUpdates(): number {
    return this.#updates.size;
  }

  get openRelays(): number {
    return this.#relays.size;
  }

  get tableFull(): number {
    return this.#membership.tableFull;
  }

  /** After leaving, or when the name was refused: nothing is sent or heard any more. */
  get isOver(): boolean {
    return this.#phase === 'over';
  }

  /** When advance() is to be called; Infinity when never. */
  get deadline(): number {
    if (this.#phase === 'over') return Number.POSITIVE_INFINITY;
    if (this.#farewell !== undefined) return this.#farewell.deadline;
    return Math.min(
      this.#rounds.deadline,
      this.#relays.deadline,
      this.#pull.deadline,
      this.#seedsAt,
      this.#housekeepingAt,
      this.#phase === 'joining' ? this.#joinUntil : Number.POSITIVE_INFINITY,
      this.#membership.nextSuspicionDeadline(),
      this.#hasToGossip() ? this.#gossipAt : Number.POSITIVE_INFINITY,
    );
  }

  /** Does whatever is due. */
  advance(now: number): void {
    if (this.#phase === 'over') return;
    if (this.#phase === 'leaving') {
      this.#sayFarewell(now);
      return;
    }
    if (this.#phase === 'joining' && now >= this.#joinUntil) this.#join(now);
    // Rounds first: they notice a stall, and then suspicions are extended, not expired.
    this.#rounds.advance(now);
    this.#membership.expireSuspicions(now);
    this.#relays.advance(now);
    this.#pull.advance(now);
    if (now >= this.#seedsAt) this.#lookForOthers(now);
    if (now >= this.#housekeepingAt) {
      this.#housekeepingAt = now + HOUSEKEEPING_MS;
      this.#table.removeExpired(now);
    }
    this.#gossip(now);
    this.#reportPeers();
  }

  /** The answer to SwimPort.resolveSeeds; our own address and those of online members are skipped. */
  contactSeeds(now: number, endpoints: readonly Endpoint[]): void {
    if (this.#phase !== 'joining' && this.#phase !== 'joined') return;
    for (const endpoint of endpoints.slice(0, SEEDS_PER_TURN_MAX)) {
      if (this.#isOurs(endpoint) || this.#table.isOnlineAt(endpoint)) continue;
      this.#places.asked(endpoint);
      this.#outbox.pingEndpoint(now, endpoint);
    }
  }

  /** Tells the others; advance() as long as isOver is false. */
  leave(now: number): void {
    if (this.#phase === 'leaving' || this.#phase === 'over') return;
    this.#phase = 'leaving';
    this.#self.leave();
    this.#farewell = new Leave(this.#self, this.#table, this.#outbox, now);
    this.#sayFarewell(now);
  }

  /**
   * @param bootId and counter from the authenticated envelope
   * @param body not kept
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
    this.#isContested = false;
    const member = this.#table.byBoot(bootId);
    const link = member?.link;
    if (message.kind === 'challenge') this.#handleChallenge(now, from, bootId, counter, message);
    else if (member === undefined || link === undefined) {
      this.#handleUnproven(now, from, bootId, counter, message);
    } else if (!this.#places.isProven(now, from, member, message.echo)) {
      // Its counter is not used up: the original may be on its way still.
      this.#challenge(now, from, message);
    } else if (counter <= link.floor || !link.window.accept(counter)) this.counters.replayed += 1;
    else this.#handleProven(now, from, bootId, message);
    this.#announce(now);
    this.#reportPeers();
  }

  #challenge(now: number, to: Endpoint, { sequence, nonce }: GossipMessage): void {
    this.counters.unproven += 1;
    this.counters.challenges += 1;
    this.#outbox.challenge(now, to, sequence, nonce);
  }

  #handleChallenge(
    now: number,
    from: Endpoint,
    bootId: bigint,
    counter: number,
    message: GossipMessage,
  ): void {
    const member = this.#table.byBoot(bootId);
    const link = member?.link;
    const isFresh =
      link === undefined
        ? message.echo !== undefined && this.#nonces.isOurs(now, message.echo)
        : counter > link.floor && link.window.accept(counter);
    if (!isFresh) {
      this.counters.unproven += 1;
      return;
    }
    const to = this.#places.forAnswer(now, from, member);
    this.#outbox.pingBack(now, to, message.sequence, message.tableHash, link === undefined);
  }

  #handleUnproven(
    now: number,
    from: Endpoint,
    bootId: bigint,
    counter: number,
    message: GossipMessage,
  ): void {
    const isProof = message.echo !== undefined && this.#nonces.isOurs(now, message.echo);
    const own = message.records.find((record) => record.bootId === bootId);
    if (!isProof || own?.detail === undefined) {
      this.#challenge(now, from, message);
      return;
    }
    this.#applyRecord(now, own, { kind: 'direct', from, teller: own.name });
    if (this.#phase === 'over') return;
    const member = this.#table.byBoot(bootId);
    if (member !== undefined) {
      this.#membership.proved(now, member, counter, from);
      this.#handleProven(now, from, bootId, message);
      return;
    }
    // Its name is held by another boot: it must see to that itself, as we must where ours is.
    const hearsay: Source = { kind: 'gossip', from, teller: own.name };
    for (const record of message.records) {
      if (record.name === this.#self.name) this.#applyRecord(now, record, hearsay);
    }
    if (message.kind === 'ping') {
      this.#outbox.ack(now, from, this.#answer(now, from, message, own));
    }
  }

  #handleProven(now: number, from: Endpoint, bootId: bigint, message: GossipMessage): void {
    const sender = this.#table.byBoot(bootId);
    if (sender === undefined) return;
    this.#membership.heard(now, sender, from);
    const wasOffline = !isOnline(sender.state);
    this.#heed(now, from, sender, message);
    if (this.#isOverNow()) return;
    this.#dispatch(now, from, sender, message);
    if (wasOffline && isOnline(sender.state)) this.#pull.start(now, sender);
    else this.#compare(now, sender, message);
  }

  /** What every message tells besides its kind. */
  #heed(now: number, from: Endpoint, sender: Member, message: GossipMessage): void {
    const { name, bootId } = sender;
    const direct: Source = { kind: 'direct', from, teller: name };
    if (message.observed !== undefined) this.#self.observe(message.observed);
    if (message.incarnation > sender.incarnation) {
      const { incarnation } = message;
      const news = { name, bootId, incarnation, state: 'alive', detail: undefined } as const;
      this.#membership.apply(now, news, direct);
    }
    const hearsay: Source = {
      kind: message.kind === 'page' ? 'page' : 'gossip',
      from,
      teller: name,
    };
    for (const record of message.records) {
      const isOwn = record.bootId === bootId;
      this.#applyRecord(now, record, isOwn ? direct : hearsay);
    }
  }

  #dispatch(now: number, from: Endpoint, sender: Member, message: GossipMessage): void {
    const { sequence } = message;
    switch (message.kind) {
      case 'ping':
        this.#outbox.ack(now, from, this.#answer(now, from, message, sender));
        break;
      case 'ack':
        this.#rounds.handleAck(now, sequence, sender.bootId, message.isRelayed);
        if (!message.isRelayed) this.#relays.handleAck(now, sequence, sender.bootId);
        if (this.#phase === 'joining' && !this.#isContested) this.#join(now);
        break;
      case 'nack':
        this.#rounds.handleNack(sequence);
        break;
      case 'pingReq':
        if (message.target !== undefined) {
          this.#relays.handleRequest(now, from, sequence, message.target);
        }
        break;
      case 'pull':
        this.#outbox.page(now, from, sequence, message.cursor ?? '');
        break;
      case 'page': {
        const last = message.records.at(-1);
        const name = last?.bootId === sender.bootId ? undefined : last?.name;
        this.#pull.handlePage(now, sequence, message.isLast, name);
        break;
      }
      default:
        break;
    }
  }

  /** The handshake sections of an ack, and the accusation where the sender is held for gone. */
  #answer(
    now: number,
    from: Endpoint,
    message: GossipMessage,
    sender: { readonly name: string; readonly bootId: bigint },
  ) {
    const held = this.#table.get(sender.name);
    const isAccused =
      held !== undefined && (held.state !== 'alive' || held.bootId !== sender.bootId);
    const first: MemberRecord[] = isAccused ? [recordOf(held, now, false)] : [];
    if (message.nonce !== undefined) first.push(this.#self.record(now));
    const observed = message.nonce === undefined ? undefined : from;
    const { sequence, nonce: echo } = message;
    return { toName: sender.name, sequence, echo, observed, first };
  }

  /** Gossip is given time to even out a difference; a node that has just come can't wait for it. */
  #compare(now: number, sender: Member, message: GossipMessage): void {
    if (this.#phase !== 'joined' || this.#isContested) return;
    if (!isOnline(sender.state) || message.kind === 'page') return;
    let quietSince =
      this.#updates.size > 0 ? Number.POSITIVE_INFINITY : this.#membership.lastChangeAt;
    if (this.#self.ageMs(now) < NEWCOMER_MS) quietSince = Number.NEGATIVE_INFINITY;
    this.#pull.compare(now, sender, message.tableHash, quietSince);
  }

  #applyRecord(now: number, record: MemberRecord, source: Source): void {
    if (record.name !== this.#self.name) this.#membership.apply(now, record, source);
    else if (record.bootId === this.#self.bootId) this.#refute(record, source);
    else this.#contestName(now, record, source);
  }

  /** Somebody holds us for anything but alive. SWIM paper 4.2. */
  #refute(record: MemberRecord, source: Source): void {
    if (record.state === 'alive' || record.incarnation < this.#self.incarnation) return;
    this.#self.outbid(record.incarnation);
    if (record.state === 'suspect') this.#health.worsen();
    this.#announceTo = source.from;
  }

  #contestName(now: number, record: MemberRecord, source: Source): void {
    const verdict = this.#contest.judge(now, record, source);
    // Who says so has not accepted us yet, whatever the verdict.
    this.#isContested = true;
    if (verdict === 'outbid') this.#announceTo = source.from;
    if (verdict === 'yield') {
      this.#phase = 'over';
      this.#membership.forgetAll(now);
      this.#port.nameRefused(placeOf(record, source) ?? source.from);
    } else if (source.kind === 'direct' && isOnline(record.state)) {
      this.#port.nameKept(placeOf(record, source) ?? source.from);
    }
  }

  /** Both the holder and the claimant hear of each other; they settle it between them. */
  #nameContested(now: number, held: Member, record: MemberRecord, source: Source): void {
    if (source.kind === 'direct' || now - held.contestedAt < CONTEST_INTERVAL_MS) return;
    held.contestedAt = now;
    this.#outbox.tell(now, source.from, [recordOf(held, now, false)]);
    if (record.detail !== undefined) this.#outbox.tell(now, endpointOf(held), [record]);
  }

  #announce(now: number): void {
    const to = this.#announceTo;
    this.#announceTo = undefined;
    if (to === undefined || this.#phase === 'over') return;
    this.#membership.queue(this.#self.name);
    // Who accuses us whatever we answer must not keep us busy.
    if (now - this.#announcesSince >= GOSSIP_TICK_MS) {
      this.#announcesSince = now;
      this.#announces = 0;
    }
    this.#announces += 1;
    if (this.#announces > ANNOUNCES_PER_TICK_MAX) return;
    this.#outbox.pingEndpoint(now, to);
  }

  #join(now: number): void {
    this.#phase = 'joined';
    this.#self.settle(now);
    this.#port.joined();
  }

  #lookForOthers(now: number): void {
    const isAlone = this.#table.onlineCount === 0;
    const spread = 1 + (this.#random() * 2 - 1) * SEEDS_SPREAD;
    const aloneMs = this.#phase === 'joining' ? SEEDS_JOINING_MS : SEEDS_ALONE_MS;
    this.#seedsAt = now + (isAlone ? aloneMs : SEEDS_MS * spread);
    const offline = this.#table.randomOffline();
    if (offline !== undefined) this.#outbox.pingMember(now, offline, 0);
    this.#port.resolveSeeds();
  }

  #hasToGossip(): boolean {
    return this.#updates.size > 0 && this.#table.onlineCount > 0;
  }

  #gossip(now: number): void {
    if (now < this.#gossipAt || !this.#hasToGossip()) return;
    this.#gossipAt = now + GOSSIP_TICK_MS;
    for (const member of this.#table.randomOnline(GOSSIP_TARGETS, () => true)) {
      this.#outbox.gossip(now, member);
    }
  }

  #sayFarewell(now: number): void {
    this.#farewell?.advance(now);
    if (this.#farewell?.isDone) this.#phase = 'over';
  }

  #isOurs(endpoint: Endpoint): boolean {
    return this.#self.isAt(endpoint) || this.#port.isOurs(endpoint);
  }

  #isOverNow(): boolean {
    return this.#phase === 'over';
  }

  #reportPeers(): void {
    if (this.#peersVersion === this.#membership.version) return;
    this.#peersVersion = this.#membership.version;
    this.#port.peersChanged();
  }
}
