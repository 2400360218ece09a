// Answers that wait to be multicast: a little, so that several nodes do not answer at the same moment and one
// message takes several answers, and for at least a second after the same record was multicast. Pure: `now`
// is an argument, in ms. Invariant: a record waits once, however often it is asked for, and only records
// of this node wait.
// Source: RFC 6762 6 (responding).

import type { DnsRecord } from './dns-record.ts';

const INTERVAL_MS = 1000;
/** For the objection to a probe. */
const DEFENCE_INTERVAL_MS = 250;

export class AnswerQueue {
  /** When each record is due. */
  readonly #waiting = new Map<DnsRecord, number>();
  /** When each record was last multicast. */
  readonly #sentAt = new Map<DnsRecord, number>();

  get deadline(): number {
    return Math.min(...this.#waiting.values());
  }

  add(now: number, record: DnsRecord, delayMs: number, isDefence = false): void {
    const intervalMs = isDefence ? DEFENCE_INTERVAL_MS : INTERVAL_MS;
    const dueAt = Math.max(now + delayMs, this.#lastSent(record) + intervalMs);
    const before = this.#waiting.get(record) ?? Number.POSITIVE_INFINITY;
    this.#waiting.set(record, Math.min(before, dueAt));
  }

  /** Records that are multicast now. */
  take(now: number): DnsRecord[] {
    const due = [...this.#waiting].flatMap(([record, dueAt]) => (dueAt <= now ? [record] : []));
    for (const record of due) this.#waiting.delete(record);
    return due;
  }

  /** The record is multicast now. A goodbye is no answer. */
  sent(now: number, record: DnsRecord): void {
    if (record.ttlSeconds > 0) this.#sentAt.set(record, now);
  }

  /** Whether all on the link have had it within this time. */
  wasSent(now: number, record: DnsRecord, withinMs = INTERVAL_MS): boolean {
    return now - this.#lastSent(record) < withinMs;
  }

  /** Forgets every record but these. */
  keep(records: readonly DnsRecord[]): void {
    for (const map of [this.#waiting, this.#sentAt]) {
      for (const record of map.keys()) if (!records.includes(record)) map.delete(record);
    }
  }

  #lastSent(record: DnsRecord): number {
    return this.#sentAt.get(record) ?? Number.NEGATIVE_INFINITY;
  }
}
