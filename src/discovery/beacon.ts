// Finds the other nodes of a cluster on the LAN: decides when to call, which calls to answer, and with whom
// membership begins. Uses no socket, clock or cryptography: it takes beacons that are authentic, and
// `now` is a monotonic number of milliseconds. Invariants: a call has at most one answer of each node, sent to
// the address that the call itself proves; a repeated recording has none; only the answer to a call of
// this run, made within the last seconds, leads to a contact.
//
// A call that is heard may be a recording, so it proves nothing but that its address was a node once. The
// answer echoes the call's nonce and is fresh: the caller, not the answering node, begins the membership.
// Sources: RFC 6206 (one node speaks for all that hear it), decision 0170.

import type { Endpoint } from '../shared/endpoint.ts';
import { isSameNetwork } from '../shared/ip-address.ts';
import type { BeaconMessage } from './beacon-codec.ts';

/** An address of this machine, on a network that others may share. */
export interface Link {
  readonly address: string;
  /** Of the network: addresses that agree in so many bits are on it. */
  readonly prefixBits: number;
}

export interface BeaconMember {
  readonly isOnline: boolean;
  /** Online, and no node suspects it. */
  readonly isAlive: boolean;
  readonly address: string;
}

export interface BeaconPort {
  /** Sends a call to all that listen on the link. */
  call(link: Link, message: BeaconMessage): void;
  answer(to: Endpoint, message: BeaconMessage): void;
  /** A node of this cluster lives there, and is no member that is well: contact it. */
  found(endpoint: Endpoint, bootId: bigint): void;
  /** @returns undefined for a boot that is no member */
  memberOf(bootId: bigint): BeaconMember | undefined;
  /** Boots of the online members, without this node. */
  onlineBoots(): readonly bigint[];
}

export interface BeaconOptions {
  readonly bootId: bigint;
  /** Where other nodes reach the membership of this one. */
  readonly gossipPort: number;
  /** Unpredictable, in [0, 1). */
  readonly random: () => number;
}

export interface BeaconCounters {
  calls: number;
  answers: number;
  receivedCalls: number;
  receivedAnswers: number;
  /** Answers that led to a contact. */
  found: number;
  /** Calls that were received before, and answers to no recent call. */
  replayed: number;
  /** Calls from an address on no network of this machine, or from another one than they claim. */
  misplaced: number;
  /** Calls that had no answer because of their rate. */
  limited: number;
}

/** Delays of the first calls of a node that is alone, or that has a new address. */
const EAGER_MS = [100, 200, 400];
const ALONE_MS = 1000;
/** From one call to the next on a network where all nodes that hear each other are one cluster. */
const JOINED_MS = 5000;
const JITTER = 0.1;
/** A member that has called within this time calls for this node, too. */
const SPOKEN_FOR_MS = 2.5 * JOINED_MS;
/** For this time after an address of this machine has gone, its members may look for it, and it for them. */
const MOVED_MS = 15_000;
/** A nonce is sent for this time, and its answers are accepted for twice as long. */
const NONCE_MS = 5000;
/** Calls of one node that arrive by several ways have one answer. */
const ANSWER_INTERVAL_MS = 80;
const CONTACT_INTERVAL_MS = 500;
const ANSWERS_PER_SECOND = 20;
const CALLERS_MAX = 256;

interface Caller {
  counter: bigint;
  answeredAt: number;
  contactedAt: number;
}

export class Beacon {
  readonly counters: BeaconCounters = {
    calls: 0,
    answers: 0,
    receivedCalls: 0,
    receivedAnswers: 0,
    found: 0,
    replayed: 0,
    misplaced: 0,
    limited: 0,
  };
  readonly #options: BeaconOptions;
  readonly #port: BeaconPort;
  readonly #callers = new Map<bigint, Caller>();
  /** When a member with a lower boot id last called on a link, by the link's address. */
  readonly #spokenFor = new Map<string, number>();
  #links: readonly Link[] = [];
  #counter = 0n;
  #nonce: bigint;
  #nonceBefore: bigint;
  #nonceUntil: number;
  #eagerCalls = 0;
  #callAt = Number.POSITIVE_INFINITY;
  #wasAlone = true;
  #movedUntil = Number.NEGATIVE_INFINITY;
  #answersLeft = ANSWERS_PER_SECOND;
  #answersSince: number;

  constructor(options: BeaconOptions, port: BeaconPort, now: number) {
    this.#options = options;
    this.#port = port;
    this.#nonce = this.#newNonce();
    this.#nonceBefore = this.#nonce;
    this.#nonceUntil = now + NONCE_MS;
    this.#answersSince = now;
  }

  /** When advance() is due; Infinity without a link. */
  get deadline(): number {
    return this.#callAt;
  }

  get links(): readonly Link[] {
    return this.#links;
  }

  /** Takes the networks of this machine, again and again. Calls at once where one is new. */
  setLinks(now: number, links: readonly Link[]): void {
    const isNew = links.some(({ address }) => !hasAddress(this.#links, address));
    const isGone = this.#links.some(({ address }) => !hasAddress(links, address));
    if (isGone) this.#movedUntil = now + MOVED_MS;
    this.#links = links;
    if (isNew) this.callSoon(now);
    if (links.length === 0) this.#callAt = Number.POSITIVE_INFINITY;
  }

  /** Calls as a node does that has just started. */
  callSoon(now: number): void {
    this.#eagerCalls = 0;
    this.#spokenFor.clear();
    this.#callAt = now;
  }

  /** Does everything that is due at `now`. */
  advance(now: number): void {
    const isAlone = this.#port.onlineBoots().length === 0;
    if (isAlone && !this.#wasAlone) this.#callAt = Math.min(this.#callAt, now);
    this.#wasAlone = isAlone;
    if (now < this.#callAt) return;
    const isEager = this.#eagerCalls < EAGER_MS.length || now < this.#movedUntil;
    this.#renewNonce(now);
    this.#counter += 1n;
    for (const link of this.#links) {
      if (isAlone || isEager || !this.#isSpokenFor(now, link)) this.#call(link);
    }
    const delayMs = EAGER_MS[this.#eagerCalls] ?? (isAlone || isEager ? ALONE_MS : JOINED_MS);
    this.#eagerCalls += 1;
    const jitter = 1 + (2 * this.#options.random() - 1) * JITTER;
    this.#callAt = this.#links.length === 0 ? Number.POSITIVE_INFINITY : now + delayMs * jitter;
  }

  /** Handles a beacon that is authentic. @param from where the datagram came from */
  handle(now: number, from: Endpoint, message: BeaconMessage): void {
    if (message.bootId === this.#options.bootId) return;
    if (message.kind === 'call') this.#handleCall(now, from, message);
    else this.#handleAnswer(now, message);
  }

  /** One counter on all links: a node that hears several of them answers one. */
  #call(link: Link): void {
    this.counters.calls += 1;
    this.#port.call(link, this.#message('call', link, this.#counter, this.#nonce));
  }

  #renewNonce(now: number): void {
    if (now < this.#nonceUntil) return;
    this.#nonceBefore = this.#nonce;
    this.#nonce = this.#newNonce();
    this.#nonceUntil = now + NONCE_MS;
  }

  #handleCall(now: number, from: Endpoint, call: BeaconMessage): void {
    const { address } = call.endpoint;
    const link = this.#links.find((one) => isSameNetwork(one.address, address, one.prefixBits));
    if (link === undefined || address !== from.address) {
      this.counters.misplaced += 1;
      return;
    }
    const caller = this.#callerOf(call.bootId);
    if (call.counter <= caller.counter) {
      this.counters.replayed += 1;
      return;
    }
    caller.counter = call.counter;
    this.counters.receivedCalls += 1;
    const member = this.#port.memberOf(call.bootId);
    if (member?.isOnline && call.bootId < this.#options.bootId) {
      this.#spokenFor.set(link.address, now);
    }
    if (member?.isAlive && member.address === address) return;
    if (!this.#isTurn(call)) return;
    if (now - caller.answeredAt < ANSWER_INTERVAL_MS) return;
    if (!this.#takeAnswer(now)) {
      this.counters.limited += 1;
      return;
    }
    caller.answeredAt = now;
    this.counters.answers += 1;
    this.#port.answer(call.endpoint, this.#message('answer', link, call.counter, call.nonce));
  }

  #handleAnswer(now: number, { bootId, endpoint, nonce }: BeaconMessage): void {
    const isCurrent =
      now < this.#nonceUntil + NONCE_MS && (nonce === this.#nonce || nonce === this.#nonceBefore);
    if (!isCurrent) {
      this.counters.replayed += 1;
      return;
    }
    this.counters.receivedAnswers += 1;
    const member = this.#port.memberOf(bootId);
    // A member that is well may have a second address, and membership goes on by the first one. But where
    // this node has another address than before, so may the member, and neither finds the other.
    const hasMoved = now < this.#movedUntil && member?.address !== endpoint.address;
    if (member?.isAlive && !hasMoved) return;
    const caller = this.#callerOf(bootId);
    if (now - caller.contactedAt < CONTACT_INTERVAL_MS) return;
    caller.contactedAt = now;
    this.counters.found += 1;
    this.#port.found(endpoint, bootId);
  }

  /** The members take turns, so that a call has one answer and not one of each node. */
  #isTurn({ bootId, counter }: BeaconMessage): boolean {
    const others = this.#port.onlineBoots().filter((boot) => boot !== bootId);
    const nodes = [this.#options.bootId, ...others].sort((a, b) => (a < b ? -1 : 1));
    return nodes[Number(counter % BigInt(nodes.length))] === this.#options.bootId;
  }

  #isSpokenFor(now: number, { address }: Link): boolean {
    const at = this.#spokenFor.get(address);
    return at !== undefined && now - at < SPOKEN_FOR_MS;
  }

  #takeAnswer(now: number): boolean {
    const refilled = ((now - this.#answersSince) * ANSWERS_PER_SECOND) / 1000;
    this.#answersLeft = Math.min(ANSWERS_PER_SECOND, this.#answersLeft + refilled);
    this.#answersSince = now;
    if (this.#answersLeft < 1) return false;
    this.#answersLeft -= 1;
    return true;
  }

  #callerOf(bootId: bigint): Caller {
    const never = Number.NEGATIVE_INFINITY;
    const caller = this.#callers.get(bootId) ?? {
      counter: 0n,
      answeredAt: never,
      contactedAt: never,
    };
    this.#callers.delete(bootId);
    if (this.#callers.size >= CALLERS_MAX) this.#callers.delete(this.#callers.keys().next().value!);
    this.#callers.set(bootId, caller);
    return caller;
  }

  #message(
    kind: BeaconMessage['kind'],
    { address }: Link,
    counter: bigint,
    nonce: bigint,
  ): BeaconMessage {
    const { bootId, gossipPort: port } = this.#options;
    return { kind, endpoint: { address, port }, bootId, counter, nonce };
  }

  #newNonce(): bigint {
    const half = (): bigint => BigInt(Math.floor(this.#options.random() * 0x100000000));
    return (half() << 32n) | half();
  }
}

function hasAddress(links: readonly Link[], wanted: string): boolean {
  return links.some(({ address }) => address === wanted);
}
