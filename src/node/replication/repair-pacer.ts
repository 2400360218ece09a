// Keeps repairs from overflowing the queues of subscribers: a node that was away is sent thousands of
// values at once, and each of them goes to the subscribers that have come meanwhile. While their queues hold
// much more than before the repair, nothing further is asked for; but no subscriber can stop the repair.

/** Messages that may wait beyond what waited before: a request brings some hundreds. */
const QUEUED_MAX = 200;
/** The repair is over when no repaired value has arrived for this time. */
const OVER_MS = 5000;
/** A subscriber that takes nothing holds up the repair for this time at most, for each request. */
const WAIT_MS_MAX = 2000;

export class RepairPacer {
  #queuedBefore = 0;
  #repairedAt = Number.NEGATIVE_INFINITY;
  #waitingSince: number | undefined;

  /** A value was repaired. */
  repaired(now: number): void {
    this.#repairedAt = now;
  }

  /** @param queued messages that wait for clients of this node now */
  mayAsk(queued: number, now: number): boolean {
    if (now - this.#repairedAt >= OVER_MS) this.#queuedBefore = queued;
    const isFree = queued <= this.#queuedBefore + QUEUED_MAX;
    this.#waitingSince = isFree ? undefined : (this.#waitingSince ?? now);
    if (isFree) return true;
    if (now - (this.#waitingSince ?? now) < WAIT_MS_MAX) return false;
    this.#waitingSince = undefined;
    return true;
  }
}
