// The clients whose queues hold the most: who takes messages more slowly than they come. Measured when
// someone looks, and at each round of $SYS, so that a message costs nothing for it. With very many sessions
// a measurement takes several turns; until it is complete, the list is that of the one before.
// Invariant: bounded by LIST_MAX, whatever the number of sessions.

import type { Logger } from '../../shared/logger.ts';
import { OngoingFaults } from '../../shared/ongoing-faults.ts';
import { Price } from '../prices.ts';
import type { WorkBudget } from '../work-budget.ts';
import type { QueueMemory } from './queue-memory.ts';
import type { Session } from './session.ts';

const LIST_MAX = 20;
/** Work of one step of a measurement: a step for each session would cost as much again. */
const STEP_WORK = 1_000;
/** A queue that is not empty for this long while its client is connected has a line in the log. */
const SLOW_MS = 30_000;

export interface SlowSubscriber {
  readonly clientId: string;
  readonly username: string | undefined;
  readonly isOnline: boolean;
  /** In its queue. */
  readonly messages: number;
  readonly bytes: number;
  /** First measurement that found its queue among the longest, milliseconds of the core's clock. */
  readonly since: number;
}

interface Parts {
  readonly sessions: { all(): Iterable<Session> };
  readonly queueMemory: QueueMemory;
  readonly budget: WorkBudget;
  readonly log: Logger;
}

export class SlowSubscribers {
  readonly #parts: Parts;
  /** Sessions with the longest queues, as of the last complete measurement. */
  #since = new Map<Session, number>();
  #isMeasuring = false;
  readonly #faults = new OngoingFaults(Number.POSITIVE_INFINITY);
  #reported = new Set<string>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Measures, in as many turns as the sessions need. @returns the one with the most bytes first */
  measure(): SlowSubscriber[] {
    if (!this.#isMeasuring) {
      this.#isMeasuring = true;
      this.#parts.budget.inTurns(this.#measureAll());
    }
    return this.#list();
  }

  /** Walks through all sessions, unless no message waits at all. Yields the price of each step. */
  *#measureAll(): Generator<number> {
    const { sessions, queueMemory, budget } = this.#parts;
    const longest: Session[] = [];
    let least = 0;
    let work = 0;
    for (const session of queueMemory.deliveries === 0 ? [] : sessions.all()) {
      work += Price.queueCheck;
      if (session.outbound.queuedBytes > least) {
        work += Price.queueListed;
        longest.push(session);
        longest.sort((a, b) => b.outbound.queuedBytes - a.outbound.queuedBytes);
        if (longest.length > LIST_MAX) longest.pop();
        if (longest.length === LIST_MAX) least = longest.at(-1)?.outbound.queuedBytes ?? 0;
      }
      if (work < STEP_WORK) continue;
      yield work;
      work = 0;
    }
    const { now } = budget;
    const before = this.#since;
    this.#since = new Map(longest.map((session) => [session, before.get(session) ?? now]));
    this.#isMeasuring = false;
    this.#logChanges(now);
  }

  /** What has left the queues since the measurement no longer counts. */
  #list(): SlowSubscriber[] {
    return [...this.#since]
      .map(([session, since]) => describe(session, since))
      .filter(({ messages }) => messages > 0)
      .sort((a, b) => b.bytes - a.bytes);
  }

  #logChanges(now: number): void {
    const { log } = this.#parts;
    const slow = this.#list().filter(({ isOnline, since }) => isOnline && now - since >= SLOW_MS);
    for (const { clientId: client, username: user, messages, bytes } of slow) {
      if (!this.#faults.report(client, now)) continue;
      log.warn('subscriber slow: its queue does not empty', { client, user, messages, bytes });
    }
    const still = new Set(slow.map(({ clientId }) => clientId));
    for (const client of this.#reported) {
      if (still.has(client)) continue;
      const lastedMs = this.#faults.resolve(client, now);
      if (lastedMs !== undefined) log.info('subscriber no longer slow', { client, lastedMs });
    }
    this.#reported = still;
  }
}

function describe(
  { identity, online: isOnline, outbound }: Session,
  since: number,
): SlowSubscriber {
  const { clientId, username } = identity;
  const { queued: messages, queuedBytes: bytes } = outbound;
  return { clientId, username, isOnline, messages, bytes, since };
}
