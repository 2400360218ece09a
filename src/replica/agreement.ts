// Up to when one member is known to hold the same as this node. Under steady writes the hashes of two nodes
// hardly ever agree at the moment of a ping, because the newest writes are on their way. So what both knew
// at one moment becomes a goal; once each of them knows all of it, they agreed up to that moment.
// Invariant: two nodes that lack nothing and still differ do not count as agreeing.

import { digestCovers } from './peer-knowledge.ts';
import type { DigestEntry } from './register-map.ts';

/** What both nodes knew at one moment. */
interface Goal {
  readonly at: number;
  readonly ours: readonly DigestEntry[];
  readonly theirs: readonly DigestEntry[];
}

export class Agreement {
  #agreedAt: number;
  #goal: Goal | undefined;

  constructor(now: number) {
    this.#agreedAt = now;
  }

  /** Both held the same at this time, ms of the monotonic clock. */
  get agreedAt(): number {
    return this.#agreedAt;
  }

  /** The hashes were equal. */
  equal(now: number): void {
    this.#agreedAt = now;
    this.#goal = undefined;
  }

  /** The member's whole digest, and ours. */
  compare(ours: readonly DigestEntry[], theirs: readonly DigestEntry[], now: number): void {
    const goal = this.#goal;
    if (goal !== undefined) {
      if (!digestCovers(theirs, goal.ours, ours) || !digestCovers(ours, goal.theirs, theirs))
        return;
      const isMoving = !digestCovers(goal.ours, ours) || !digestCovers(goal.theirs, theirs);
      if (!isMoving) return;
      this.#agreedAt = goal.at;
    }
    this.#goal = { at: now, ours, theirs };
  }
}
