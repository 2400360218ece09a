// Time and work of the broker core. An event enters the core with its time and gets a budget of work;
// what does not fit continues in a later turn of the event loop, after the network had its turn.
// Knows neither sockets nor sessions.
// Invariant: nothing else changes the time or the budget, and every way into the core calls enter()
// or resume(), so that no handler reads the time of an earlier event (test/unit/tidy.test.ts).

/**
 * Work of one turn, in deliveries of some 10 ns each: neither a flood nor a message to very many
 * subscribers delays other clients by more than a millisecond or two.
 */
export const WORK_PER_TURN = 100_000;

/** What work costs, in deliveries: a delivery of a known route to a connected QoS 0 subscriber is 1. */
export const Price = {
  /** Routing one message, in addition to its deliveries. */
  message: 8,
  /** One topic level of the subscription tree that a search for a route visits. */
  treeNode: 20,
  /** One subscription that a route lists for itself instead of sharing the tree's list. */
  ownTarget: 50,
  /** Adding, finding or removing a Topic Filter, and each of its characters: a level may be empty. */
  filter: 200,
  filterCharacter: 20,
  /** Checking the form of a Topic Filter, and each of its characters. */
  filterCheck: 20,
  checkedCharacter: 2,
  /** One topic level that a search for retained messages visits, and one message that it finds. */
  retainedNode: 25,
  retainedMessage: 50,
  /** One deadline that came due. */
  deadline: 100,
  /** Checking the access of one client or one subscription. */
  accessCheck: 100,
  /** A denial: a search through the whole ACL, and a log line. */
  denial: 500,
  /** The end of a connection: its last packet and its log line. */
  disconnect: 1000,
  /** Comparing one $SYS value with the value published before. */
  sysValue: 20,
  /** One delivery of a $SYS value: each has a message of its own, so its code is cold. */
  sysDelivery: 4,
} as const;

/** The price of adding, finding or removing this Topic Filter. */
export function filterPrice(filter: string): number {
  return Price.filter + Price.filterCharacter * filter.length;
}

/** The price of checking the form of this Topic Filter. */
export function filterCheckPrice(filter: string): number {
  return Price.filterCheck + Price.checkedCharacter * filter.length;
}

export class WorkBudget {
  /** Called when work was deferred: the runtime calls runDeferred() in the next turn. */
  onDeferred: (() => void) | undefined;
  #now: number;
  #workLeft = 0;
  readonly #deferred: (() => void)[] = [];

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: number) {
    this.#now = now;
  }

  /** Time of the event that is being handled, milliseconds. */
  get now(): number {
    return this.#now;
  }

  /** Work that this turn may still do, in deliveries; below 0 if the last piece cost more. */
  get workLeft(): number {
    return this.#workLeft;
  }

  get isSpent(): boolean {
    return this.#workLeft <= 0;
  }

  /** An event enters the core: from here on `now` is the time and the budget is full. */
  enter(now: number): void {
    this.#now = now;
    this.#workLeft = WORK_PER_TURN;
  }

  /**
   * A port calls back. The time moves on; the callbacks of one turn share what the last event left,
   * so that thousands of them cannot fill a turn.
   */
  resume(now: number): void {
    this.#now = now;
  }

  spend(work: number): void {
    this.#workLeft -= work;
  }

  /** Does the work in a later turn, after the other clients had theirs. */
  defer(work: () => void): void {
    this.#deferred.push(work);
    if (this.#deferred.length === 1) this.onDeferred?.();
  }

  /** One turn for all deferred work; what does not fit stays first in the queue for the next turn. */
  runDeferred(now: number): void {
    this.enter(now);
    const deferred = this.#deferred;
    const due = deferred.length;
    let done = 0;
    while (done < due && !this.isSpent) deferred[done++]?.();
    deferred.splice(0, done);
    if (deferred.length > 0) this.onDeferred?.();
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
