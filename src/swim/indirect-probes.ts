// Pings that this node sends on behalf of others (ping-req). The requester gets an indirect ack if
// the target answers, and a nack otherwise. Bounded; a probe lasts one ping timeout.
// Sources: SWIM paper 3.1; Lifeguard 4.1 (nack).

import { type Endpoint, sameEndpoint } from '../shared/endpoint.ts';
import type { PingTarget } from './codec.ts';
import { endpointOf, type MemberTable, recordOf } from './member-table.ts';
import type { MessageSender } from './message-sender.ts';

const INDIRECT_PROBES_MAX = 256;

interface IndirectProbe {
  readonly targetBootId: bigint;
  /** Where the requester pings it. */
  readonly targetEndpoint: Endpoint;
  readonly requester: Endpoint;
  readonly requesterSequence: number;
  readonly deadline: number;
}

export class IndirectProbes {
  /** By our own sequence; in the order of their deadlines, because all wait equally long. */
  readonly #open = new Map<number, IndirectProbe>();
  readonly #table: MemberTable;
  readonly #sender: MessageSender;
  readonly #timeoutMs: number;

  constructor(table: MemberTable, sender: MessageSender, timeoutMs: number) {
    this.#table = table;
    this.#sender = sender;
    this.#timeoutMs = timeoutMs;
  }

  get deadline(): number {
    for (const probe of this.#open.values()) return probe.deadline;
    return Number.POSITIVE_INFINITY;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Pings the target for the requester; ignored while too many probes are open. */
  handleRequest(
    now: number,
    requester: Endpoint,
    requesterSequence: number,
    target: PingTarget,
  ): void {
    if (this.#open.size >= INDIRECT_PROBES_MAX) return;
    const sequence = this.#sender.nextSequence();
    const { bootId: targetBootId, endpoint } = target;
    const deadline = now + this.#timeoutMs;
    this.#open.set(sequence, {
      targetBootId,
      targetEndpoint: endpoint,
      requester,
      requesterSequence,
      deadline,
    });
    const member = this.#table.byBoot(targetBootId);
    if (member === undefined) this.#sender.pingEndpoint(now, endpoint, sequence);
    else this.#sender.pingMember(now, member, sequence);
  }

  /**
   * The target answers. A requester that looks for it elsewhere learns where it is: both may have moved, so
   * that neither would find the other.
   */
  handleAck(now: number, sequence: number, bootId: bigint): void {
    const probe = this.#open.get(sequence);
    if (probe === undefined || probe.targetBootId !== bootId) return;
    this.#open.delete(sequence);
    const { requester, requesterSequence, targetEndpoint } = probe;
    const target = this.#table.byBoot(bootId);
    const isElsewhere =
      target?.state === 'alive' && !sameEndpoint(endpointOf(target), targetEndpoint);
    const records = isElsewhere ? [recordOf(target, now, false)] : [];
    this.#sender.ack(now, requester, { sequence: requesterSequence, isIndirect: true, records });
  }

  /** Sends a nack for each probe that timed out. */
  advance(now: number): void {
    for (const [sequence, probe] of this.#open) {
      if (probe.deadline > now) return;
      this.#open.delete(sequence);
      this.#sender.nack(now, probe.requester, probe.requesterSequence);
    }
  }
}
