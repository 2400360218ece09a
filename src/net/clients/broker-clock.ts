// Drives the broker core: one timer for its next deadline, and the event loop's turns for the work
// that it deferred.

import { performance } from 'node:perf_hooks';
import type { Broker } from '../../broker/broker.ts';
import { flushQueue } from './flush-queue.ts';

/** The longest delay that setTimeout takes. */
const TIMER_MS_MAX = 2_147_483_647;

export class BrokerClock {
  readonly #broker: Broker;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(broker: Broker) {
    this.#broker = broker;
    broker.onEarlierDeadline = () => this.#arm();
    broker.onDeferred = () => setImmediate(() => this.#runDeferred());
    this.#arm();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const delayMs = this.#broker.nextDeadline() - performance.now();
    if (this.#isStopped || delayMs === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(
      () => this.#advance(),
      Math.min(Math.max(0, Math.ceil(delayMs)), TIMER_MS_MAX),
    );
  }

  /** Its clients sent much: what they wrote leaves after what those who sent little write in this turn. */
  #runDeferred(): void {
    const begin = flushQueue.size;
    this.#broker.runDeferred(performance.now());
    flushQueue.postpone(begin);
  }

  #advance(): void {
    const begin = flushQueue.size;
    this.#broker.advance(performance.now());
    flushQueue.endGroup(begin);
    this.#arm();
  }
}
