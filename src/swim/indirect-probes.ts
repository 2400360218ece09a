// Pings that this node sends for others (ping-req). Bounded; an entry lives one ping timeout.
// Source: SWIM paper 3.1; the nack is Lifeguard's.

import type { Endpoint } from '../shared/endpoint.ts';
import type { PingTarget } from './codec.ts';
import type { MemberTable } from './member-table.ts';
import type { MessageSender } from './message-sender.ts';

const RELAYS_MAX = 256;

interface Relay {
  readonly bootId: bigint;
  readonly askedBy: Endpoint;
  readonly askedSequence: number;
  readonly deadline: number;
}

export class IndirectProbes {
  /** In order of their deadlines, as all wait equally long. */
  readonly #open = new Map<number, Relay>();
  readonly #table: MemberTable;
  readonly #outbox: MessageSender;
  readonly #timeoutMs: number;

  constructor(table: MemberTable, outbox: MessageSender, timeoutMs: number) {
    this.#table = table;
    this.#outbox = outbox;
    this.#timeoutMs = timeoutMs;
  }

  get deadline(): number {
    for (const relay of this.#open.values()) return relay.deadline;
    return Number.POSITIVE_INFINITY;
  }

  get size(): number {
    return this.#open.size;
  }

  handleRequest(now: number, askedBy: Endpoint, askedSequence: number, target: PingTarget): void {
    if (this.#open.size >= RELAYS_MAX) return;
    const sequence = this.#outbox.nextSequence();
    const deadline = now + this.#timeoutMs;
    this.#open.set(sequence, { bootId: target.bootId, askedBy, askedSequence, deadline });
    const member = this.#table.byBoot(target.bootId);
    if (member === undefined) this.#outbox.pingEndpoint(now, target.endpoint, sequence);
    else this.#outbox.pingMember(now, member, sequence);
  }

  handleAck(now: number, sequence: number, bootId: bigint): void {
    const relay = this.#open.get(sequence);
    if (relay === undefined || relay.bootId !== bootId) return;
    this.#open.delete(sequence);
    this.#outbox.ack(now, relay.askedBy, { sequence: relay.askedSequence, isRelayed: true });
  }

  advance(now: number): void {
    for (const [sequence, relay] of this.#open) {
      if (relay.deadline > now) return;
      this.#open.delete(sequence);
      this.#outbox.nack(now, relay.askedBy, relay.askedSequence);
    }
  }
}
