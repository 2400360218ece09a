// Clients that a rate slows down: a line when one begins to be slowed, one when it no longer is, and
// the count for the metrics. The lines of very many clients are limited by the log itself.
// Invariant: bounded by the connected clients of the last seconds; no timer runs while it is empty.

import type { LogFields, Logger } from '../shared/logger.ts';
import type { DeadlineQueue } from './deadline-queue.ts';

/** A client that was not slowed for this long keeps its rate again. */
const WELL_MS = 10_000;
/** Further ones are counted but have no line. */
const CLIENTS_MAX = 10_000;

interface Slowed {
  readonly since: number;
  readonly fields: LogFields;
  last: number;
}

export class SlowedClients {
  /** Packets that had to wait. */
  packets = 0;
  readonly #clients = new Map<object, Slowed>();
  readonly #deadlines: DeadlineQueue;
  readonly #log: Logger;

  constructor(deadlines: DeadlineQueue, log: Logger) {
    this.#deadlines = deadlines;
    this.#log = log;
  }

  /** Clients that were slowed within the last ten seconds. */
  get count(): number {
    return this.#clients.size;
  }

  /** @param fields name the client in the log; asked for once while it is slowed */
  report(client: object, fields: () => LogFields, now: number): void {
    this.packets += 1;
    const known = this.#clients.get(client);
    if (known !== undefined) {
      known.last = now;
      return;
    }
    if (this.#clients.size >= CLIENTS_MAX) return;
    if (this.#clients.size === 0) this.#watch(now);
    const slowed = { since: now, last: now, fields: fields() };
    this.#clients.set(client, slowed);
    this.#log.warn('client slowed: it sends faster than its rate or its listener allows', {
      ...slowed.fields,
    });
  }

  #watch(now: number): void {
    this.#deadlines.schedule(now + WELL_MS, (later) => {
      for (const [client, { since, last, fields }] of this.#clients) {
        if (later - last < WELL_MS) continue;
        this.#clients.delete(client);
        const lastedMs = Math.round(last - since);
        this.#log.info('client no longer slowed', { ...fields, lastedMs });
      }
      if (this.#clients.size > 0) this.#watch(later);
    });
  }
}
