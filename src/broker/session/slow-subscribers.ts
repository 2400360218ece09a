// The clients whose queues hold the most: who takes messages more slowly than they come. Measured when
// someone looks, and at each round of $SYS, so that a message costs nothing for it.
// Invariant: bounded by LIST_MAX, whatever the number of sessions.

import type { Logger } from '../../shared/logger.ts';
import { OngoingFaults } from '../../shared/ongoing-faults.ts';
import type { QueueMemory } from './queue-memory.ts';
import type { Session } from './session.ts';

const LIST_MAX = 20;
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
  readonly log: Logger;
}

export class SlowSubscribers {
  readonly #parts: Parts;
  #since = new Map<Session, number>();
  readonly #faults = new OngoingFaults(Number.POSITIVE_INFINITY);
  #reported = new Set<string>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** The one with the most bytes first. Walks through all sessions, unless no message waits at all. */
  measure(now: number): SlowSubscriber[] {
    const longest = this.#parts.queueMemory.deliveries === 0 ? [] : this.#longest();
    const before = this.#since;
    this.#since = new Map(longest.map((session) => [session, before.get(session) ?? now]));
    const list = longest.map((session) => this.#describe(session, now));
    this.#logChanges(list, now);
    return list;
  }

  #longest(): Session[] {
    const longest: Session[] = [];
    let least = 0;
    for (const session of this.#parts.sessions.all()) {
      const bytes = session.outbound.queuedBytes;
      if (bytes <= least) continue;
      longest.push(session);
      longest.sort((a, b) => b.outbound.queuedBytes - a.outbound.queuedBytes);
      if (longest.length > LIST_MAX) longest.pop();
      if (longest.length === LIST_MAX) least = longest.at(-1)?.outbound.queuedBytes ?? 0;
    }
    return longest;
  }

  #describe(session: Session, now: number): SlowSubscriber {
    const { identity, online: isOnline, outbound } = session;
    const { clientId, username } = identity;
    const { queued: messages, queuedBytes: bytes } = outbound;
    return {
      clientId,
      username,
      isOnline,
      messages,
      bytes,
      since: this.#since.get(session) ?? now,
    };
  }

  #logChanges(list: readonly SlowSubscriber[], now: number): void {
    const { log } = this.#parts;
    const slow = list.filter(({ isOnline, since }) => isOnline && now - since >= SLOW_MS);
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
