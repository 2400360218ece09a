// Time and work of the broker core. An event enters the core with its time; all events of a turn of the
// event loop share one budget of work, and what does not fit continues in a later turn, after the network
// had its turn. prices.ts has the prices. Knows neither sockets nor sessions.
// Invariant: nothing else changes the time or the budget, and every way into the core calls enter(),
// beginTurn() or resume(), so that no handler reads the time of an earlier event (test/unit/tidy.test.ts).

/** Work of one turn, in the units of prices.ts: one millisecond. */
export const WORK_PER_TURN = 100_000;
/**
 * Work that an event may do even where the turn's budget is spent, so that a client that sends little
 * is served in the turn in which it sends, whatever the others do.
 */
const EVENT_WORK_MIN = 2_000;
/** Deferred work of one turn while clients that send little are served, who wait for the end of the turn. */
const WORK_PER_SHORT_TURN = 25_000;
/** Turns stay short for so long after the last event of such a client, milliseconds. */
const SHORT_TURNS_MS = 1_000;

export class WorkBudget {
  /** The node forwards messages: those of one turn share datagrams, so that short turns would cost a third more. */
  isForwarding = false;
  /** Called when work was deferred: the runtime calls runDeferred() in the next turn. */
  onDeferred: (() => void) | undefined;
  #now: number;
  /** What the turn may still do; below 0 if the last piece cost more, or many events had their minimum. */
  #turnLeft = WORK_PER_TURN;
  /** The piece of work that is being done ends where the turn has no more left than this. */
  #endsAt = 0;
  /** The last event found the turn's budget spent, so that it had its minimum only. */
  #hadMinimum = false;
  /** When the minimum was last enough for an event. */
  #minimumSufficedAt = Number.NEGATIVE_INFINITY;
  readonly #deferred: (() => void)[] = [];

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: number) {
    this.#now = now;
  }

  /** Time of the event that is being handled, milliseconds. */
  get now(): number {
    return this.#now;
  }

  /** Work that the present event may still do; below 0 if the last piece cost more. */
  get workLeft(): number {
    return this.#turnLeft - this.#endsAt;
  }

  /** Work that this turn has done, for benchmarks. */
  get spentInTurn(): number {
    return WORK_PER_TURN - this.#turnLeft;
  }

  get isSpent(): boolean {
    return this.#turnLeft <= this.#endsAt;
  }

  /** True if only the minimum is left for each further event of this turn. */
  get isTurnSpent(): boolean {
    return this.#turnLeft <= 0;
  }

  /** The event loop has begun a turn: the budget is full. */
  beginTurn(now: number): void {
    this.#now = now;
    this.#turnLeft = WORK_PER_TURN;
    this.#endsAt = 0;
  }

  /**
   * An event enters the core: from here on `now` is the time. All events of a turn share one budget, and
   * the first that needs more than is left makes the next turn: it defers the rest. Until then it
   * does not matter where a turn of the event loop ends.
   */
  enter(now: number): void {
    if (this.#hadMinimum) this.#judgeMinimum();
    this.#now = now;
    this.#hadMinimum = this.#turnLeft < EVENT_WORK_MIN;
    this.#endsAt = this.#hadMinimum ? this.#turnLeft - EVENT_WORK_MIN : 0;
  }

  /** The event that had its minimum has ended. One that did nothing added a chunk to those of a client that waits. */
  #judgeMinimum(): void {
    const left = this.workLeft;
    if (left > 0 && left < EVENT_WORK_MIN) this.#minimumSufficedAt = this.#now;
    this.#hadMinimum = false;
  }

  /**
   * A port calls back. The time moves on; the callbacks of one turn share what the last event left,
   * so that thousands of them cannot fill a turn.
   */
  resume(now: number): void {
    this.#now = now;
  }

  spend(work: number): void {
    this.#turnLeft -= work;
  }

  /** Does the work in a later turn, after the other clients had theirs. */
  defer(work: () => void): void {
    this.#deferred.push(work);
    if (this.#deferred.length === 1) this.onDeferred?.();
  }

  /**
   * One turn for all deferred work. Each piece gets an equal share of what is left, so that short ones do
   * not wait for long ones; what does not fit stays first in the queue for the next turn. A short turn does
   * fewer pieces and no smaller ones, since each of them writes once to each of its subscribers.
   */
  runDeferred(now: number): void {
    if (this.#hadMinimum) this.#judgeMinimum();
    this.beginTurn(now);
    const isShort = !this.isForwarding && now - this.#minimumSufficedAt < SHORT_TURNS_MS;
    const shareMax = isShort ? WORK_PER_SHORT_TURN : WORK_PER_TURN;
    const kept = WORK_PER_TURN - shareMax;
    const deferred = this.#deferred;
    const due = deferred.length;
    let done = 0;
    while (done < due && this.#turnLeft > kept) {
      const share = Math.max(EVENT_WORK_MIN, this.#turnLeft / (due - done));
      this.#endsAt = this.#turnLeft - Math.min(share, shareMax);
      deferred[done++]?.();
    }
    deferred.splice(0, done);
    if (deferred.length === 0) return;
    this.#turnLeft -= kept;
    this.onDeferred?.();
  }

  /**
   * Calls `step` in later turns, in each as often as its share allows, until it returns false. A step is an
   * event of its own: it may enter the core.
   */
  repeat(step: () => boolean): void {
    this.defer(() => {
      const endsAt = this.#endsAt;
      do if (!step()) return;
      while (this.#turnLeft > endsAt);
      this.repeat(step);
    });
  }

  /** Does a long piece of work in as many turns as it needs. Each step yields its price. */
  inTurns(steps: Iterator<number>): void {
    while (!this.isSpent) {
      const step = steps.next();
      if (step.done) return;
      this.spend(step.value);
    }
    this.defer(() => this.inTurns(steps));
  }
}
