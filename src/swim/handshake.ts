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

export class Handshake {
  readonly #table: MemberTable;
  readonly #nonces: Nonces;
  readonly #addressValidation: AddressValidation;
  readonly #sender: MessageSender;
  readonly #counters: SwimCounters;

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

  challenge(now: number, to: Endpoint, { sequence, nonce }: GossipMessage): void {
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
    return own?.detail === undefined ? undefined : own;
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
      this.challenge(now, from, message);
      return false;
    }
    if (isNew(link, counter)) return true;
    this.#counters.replayed += 1;
    return false;
  }
}

function isNew(link: Link, counter: number): boolean {
  return counter > link.floor && link.window.accept(counter);
}
