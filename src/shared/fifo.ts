// A queue whose first items leave while later ones come. Knows nothing of what it holds.
// Invariant: an item that has left is not referred to, also where the queue is never empty; and its memory
// follows what waits, not what has passed.

/** Places of items that have left, before those behind them move up. */
const EMPTY_PLACES_MAX = 1024;

export class Fifo<T> {
  #places: (T | undefined)[] = [];
  /** The place of the first item. */
  #first = 0;

  get size(): number {
    return this.#places.length - this.#first;
  }

  push(item: T): void {
    this.#places.push(item);
  }

  /** Takes the first item; undefined if there is none. */
  shift(): T | undefined {
    const places = this.#places;
    const first = this.#first;
    if (first === places.length) return undefined;
    const item = places[first];
    places[first] = undefined;
    this.#first = first + 1;
    if (this.#first === places.length) this.clear();
    else if (this.#first >= EMPTY_PLACES_MAX && this.#first * 2 >= places.length) this.#moveUp();
    return item;
  }

  clear(): void {
    this.#places = [];
    this.#first = 0;
  }

  #moveUp(): void {
    this.#places.splice(0, this.#first);
    this.#first = 0;
  }
}
