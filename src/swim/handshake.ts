// Decides which datagrams count. A boot must echo a nonce of this node once, in a message with its own
// full record, before anything that it says counts; after that its counters must be new and its source
// address validated. Whatever does not qualify is answered with a challenge or not at all.
// Invariant: an answer to a boot that is not validated is never longer than its datagram, so that
// forged source addresses amplify nothing. Source: docs/protocol-gossip.md; RFC 9000 section 8.

import type { Endpoint } from '../shared/endpoint.ts';
import type { AddressValidation } from './address-validation.ts';
import type { GossipMessage } from './codec.ts';
import type { Link, Member, MemberTable } from './member-table.ts';
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

export class Handshake {
  readonly #table: MemberTable;
  readonly #nonces: Nonces;
  readonly #addressValidation: AddressValidation;
  readonly #sender: MessageSender;
  readonly #counters: SwimCounters;
  /** By boot id, the latest last. */
  readonly #unheard = new Map<bigint, UnheardBoot>();

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

  /** Challenges a boot that has not echoed our nonce yet. */
  challengeBoot(now: number, from: Endpoint, bootId: bigint, message: GossipMessage): void {
    this.#noteUnheard(now, from, bootId, message);
    this.#challenge(now, from, message);
  }

  #challenge(now: number, to: Endpoint, { sequence, nonce }: GossipMessage): void {
    this.#counters.unproven += 1;
    this.#counters.challenges += 1;
    this.#sender.challenge(now, to, sequence, nonce);
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
    const isFresh =
      link === undefined
        ? message.echo !== undefined && this.#nonces.isCurrent(now, message.echo)
        : isNew(link, counter);
    if (!isFresh) {
      this.#counters.unproven += 1;
      return;
    }
    const to = this.#addressValidation.challengeReplyTo(now, from, member);
    const isUnknown = link === undefined;
    this.#sender.answerChallenge(now, to, message.sequence, message.tableHash, isUnknown);
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
    if (!this.#addressValidation.isValidated(now, from, member, message.echo)) {
      // The counter is not used up, because the original may still arrive from the right address.
      this.#challenge(now, from, message);
      return false;
    }
    if (isNew(link, counter)) return true;
    this.#counters.replayed += 1;
    return false;
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

function isNew(link: Link, counter: number): boolean {
  return counter > link.floor && link.window.accept(counter);
}
