// Decides which datagrams count. A boot must echo a nonce of this node once, in a message with its own
// full record, before anything that it says counts; after that its counters must be new and its source
// address validated. Whatever does not qualify is answered with a challenge or not at all.
// Invariant: an answer to a boot that is not validated is never longer than its datagram, so that
// forged source addresses amplify nothing. Source: docs/protocol-gossip.md; RFC 9000 section 8.

import { type Endpoint, sameEndpoint } from '../shared/endpoint.ts';
import { ReplayWindow } from '../shared/replay-window.ts';
import type { AddressValidation } from './address-validation.ts';
import { ChallengeLimit } from './challenge-limit.ts';
import type { GossipMessage } from './codec.ts';
import {
  endpointOf,
  type Link,
  type Member,
  type MemberTable,
  type Recovery,
} from './member-table.ts';
import type { MessageSender } from './message-sender.ts';
import type { Nonces } from './nonces.ts';
import type { MemberRecord } from './record.ts';
import type { SwimCounters } from './swim-port.ts';

/** A boot that sends authentic datagrams and answers no challenge: it does not hear us. */
export interface UnheardBoot {
  /** As it calls itself; undefined if it has not said. Not proven. */
  name: string | undefined;
  endpoint: Endpoint;
  readonly firstAt: number;
  lastAt: number;
  datagrams: number;
}

const UNHEARD_BOOTS_MAX = 64;
/** Boots that sent fewer datagrams, or for a shorter time, may still answer. */
const UNHEARD_DATAGRAMS_MIN = 4;
const UNHEARD_MS_MIN = 3000;
/** A boot that was silent for longer has ended. */
const UNHEARD_SILENCE_MS = 30_000;
/** A member that was heard within this time has no wrong counters on our side. */
const RECOVERY_QUIET_MS = 1000;
/** Time for the answer to a recovery nonce; then there is a new one. */
const RECOVERY_MS = 2000;

export class Handshake {
  readonly #table: MemberTable;
  readonly #nonces: Nonces;
  readonly #addressValidation: AddressValidation;
  readonly #sender: MessageSender;
  readonly #counters: SwimCounters;
  /** By boot id, the latest last. */
  readonly #unheard = new Map<bigint, UnheardBoot>();
  readonly #limit = new ChallengeLimit();

  constructor(
    parts: {
      table: MemberTable;
      nonces: Nonces;
      addressValidation: AddressValidation;
      sender: MessageSender;
    },
    counters: SwimCounters,
  ) {
    this.#table = parts.table;
    this.#nonces = parts.nonces;
    this.#addressValidation = parts.addressValidation;
    this.#sender = parts.sender;
    this.#counters = counters;
  }

  /**
   * Whether a datagram would change nothing, whatever it says. Asked before its proof is checked, so
   * that a recording costs little however often it is repeated. Counts it then.
   */
  dropsReplay(now: number, from: Endpoint, bootId: bigint, counter: number): boolean {
    const isReplay = this.#isReplay(now, from, bootId, counter);
    if (isReplay) this.#counters.replayed += 1;
    return isReplay;
  }

  #isReplay(now: number, from: Endpoint, bootId: bigint, counter: number): boolean {
    const link = this.#table.byBoot(bootId)?.link;
    if (link === undefined) return this.#limit.isHandled(bootId, counter);
    if (isPast(link, counter)) return now - link.heardAt < RECOVERY_QUIET_MS;
    if (link.window.isUsed(counter)) return true;
    return !sameEndpoint(link.endpoint, from) && this.#limit.isHandled(bootId, counter);
  }

  /** Whether a datagram of a boot that is not validated counts. Each one counts once. */
  isFirst(bootId: bigint, counter: number): boolean {
    if (this.#limit.handle(bootId, counter)) return true;
    this.#counters.replayed += 1;
    return false;
  }

  /** Challenges a boot that has not echoed our nonce yet. */
  challengeBoot(now: number, from: Endpoint, bootId: bigint, message: GossipMessage): void {
    this.#noteUnheard(now, from, bootId, message);
    this.#challenge(now, from, bootId, message, this.#nonces.current(now));
  }

  #challenge(
    now: number,
    to: Endpoint,
    bootId: bigint,
    { sequence, nonce: echo }: GossipMessage,
    nonce: bigint,
  ): void {
    this.#counters.unproven += 1;
    if (!this.#limit.admit(now, bootId, to.address)) return;
    this.#counters.challenges += 1;
    this.#sender.challenge(to, { sequence, echo, nonce });
  }

  /** Answers a challenge, unless it may be a recording. */
  handleChallenge(
    now: number,
    from: Endpoint,
    bootId: bigint,
    counter: number,
    message: GossipMessage,
  ): void {
    const member = this.#table.byBoot(bootId);
    const link = member?.link;
    const { sequence, tableHash: nonce } = message;
    if (member !== undefined && link !== undefined && isPast(link, counter)) {
      // The member may hold wrong counters of this node too, or not have validated this process yet: then it
      // answers no challenge, but only what it has challenged. The known address is safe to answer to.
      this.#counters.unproven += 1;
      if (now - link.heardAt < RECOVERY_QUIET_MS) return;
      if (!this.#limit.admit(now, bootId, from.address)) return;
      const recovery = pendingRecovery(link, now) ?? this.#beginRecovery(link, now);
      const exchange = { sequence, echo: nonce, nonce: recovery.nonce };
      this.#sender.answerChallenge(now, endpointOf(member), exchange);
      return;
    }
    const isFresh =
      link === undefined
        ? message.echo !== undefined &&
          this.#nonces.isCurrent(now, message.echo) &&
          this.isFirst(bootId, counter)
        : isNew(link, counter);
    if (!isFresh) {
      this.#counters.unproven += 1;
      return;
    }
    const to = this.#addressValidation.challengeReplyTo(now, from, member);
    if (link === undefined) this.#sender.introduceSelf(now, to, sequence, nonce);
    else this.#sender.answerChallenge(now, to, { sequence, echo: nonce });
  }

  /** @returns the own record of a boot that has just proved that it lives; undefined otherwise */
  proofIn(now: number, bootId: bigint, message: GossipMessage): MemberRecord | undefined {
    if (message.echo === undefined || !this.#nonces.isCurrent(now, message.echo)) return undefined;
    const own = message.records.find((record) => record.bootId === bootId);
    if (own?.detail === undefined) return undefined;
    this.#unheard.delete(bootId);
    return own;
  }

  /** Whether a datagram of a validated boot counts. Uses up its counter, or sends a challenge. */
  admits(
    now: number,
    from: Endpoint,
    member: Member,
    link: Link,
    counter: number,
    message: GossipMessage,
  ): boolean {
    const { bootId } = member;
    if (isPast(link, counter) && now - link.heardAt >= RECOVERY_QUIET_MS) {
      return this.#recovers(now, from, bootId, link, counter, message);
    }
    if (!this.#addressValidation.isValidated(now, from, member, message.echo)) {
      // The counter is not used up, because the original may still arrive from the right address.
      if (this.isFirst(bootId, counter)) {
        this.#challenge(now, from, bootId, message, this.#nonces.current(now));
      }
      return false;
    }
    if (isNew(link, counter)) return true;
    this.#counters.replayed += 1;
    return false;
  }

  /**
   * Another node with the token may have spoken in the member's name with a counter far ahead, so that
   * all that the member itself says looks old. A nonce made after that, which only the member's own
   * answer echoes, begins its counters anew: its answer to a challenge, or its ack.
   */
  #recovers(
    now: number,
    from: Endpoint,
    bootId: bigint,
    link: Link,
    counter: number,
    message: GossipMessage,
  ): boolean {
    const recovery = pendingRecovery(link, now);
    if (recovery !== undefined) {
      if (message.echo !== recovery.nonce) {
        this.#counters.replayed += 1;
        return false;
      }
      link.window = new ReplayWindow();
      link.window.accept(counter);
      link.floor = counter;
      link.recovery = undefined;
      return true;
    }
    this.#challenge(now, from, bootId, message, this.#beginRecovery(link, now).nonce);
    return false;
  }

  #beginRecovery(link: Link, now: number): Recovery {
    link.recovery = { nonce: this.#nonces.unique(), at: now };
    return link.recovery;
  }

  /** Boots that reach this node, and that this node does not reach. */
  unheardBoots(now: number): UnheardBoot[] {
    return [...this.#unheard.values()].filter(
      ({ datagrams, firstAt, lastAt }) =>
        datagrams >= UNHEARD_DATAGRAMS_MIN &&
        lastAt - firstAt >= UNHEARD_MS_MIN &&
        now - lastAt < UNHEARD_SILENCE_MS,
    );
  }

  #noteUnheard(now: number, endpoint: Endpoint, bootId: bigint, message: GossipMessage): void {
    const name = message.records.find((record) => record.bootId === bootId)?.name;
    const known = this.#unheard.get(bootId);
    const isPast = known === undefined || now - known.lastAt >= UNHEARD_SILENCE_MS;
    this.#unheard.delete(bootId);
    if (this.#unheard.size >= UNHEARD_BOOTS_MAX) {
      this.#unheard.delete(this.#unheard.keys().next().value!);
    }
    this.#unheard.set(bootId, {
      name: name ?? known?.name,
      endpoint,
      firstAt: isPast ? now : known.firstAt,
      lastAt: now,
      datagrams: isPast ? 1 : known.datagrams + 1,
    });
  }
}

function pendingRecovery({ recovery }: Link, now: number): Recovery | undefined {
  return recovery !== undefined && now - recovery.at < RECOVERY_MS ? recovery : undefined;
}

/** Sent before the boot was validated, or too long ago to know whether it came before. */
function isPast(link: Link, counter: number): boolean {
  return counter <= link.floor || link.window.isPast(counter);
}

function isNew(link: Link, counter: number): boolean {
  return counter > link.floor && link.window.accept(counter);
}
