// Walks long lists of the broker for the API, some items in each turn of the event loop, and one list after the
// other: many callers at a time together delay clients no more than one of them.
// Invariant: a walk that fails holds up no other one.

import { setImmediate as nextTurn } from 'node:timers/promises';

/** About a millisecond of work. */
const ITEMS_PER_TURN = 250;

export class ListWalker {
  #last: Promise<void> = Promise.resolve();

  /** Resolves when every item was visited. Rejects as `visit` throws. */
  walk<T>(items: Iterable<T>, visit: (item: T) => void): Promise<void> {
    const walk = this.#last.then(() => visitAll(items, visit));
    this.#last = walk.catch(() => undefined);
    return walk;
  }
}

async function visitAll<T>(items: Iterable<T>, visit: (item: T) => void): Promise<void> {
  let visited = 0;
  for (const item of items) {
    visit(item);
    visited += 1;
    if (visited % ITEMS_PER_TURN === 0) await nextTurn();
  }
}
