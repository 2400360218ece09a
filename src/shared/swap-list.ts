// An unordered collection of objects that come and go by the thousand. In place of a Set, whose table V8 replaces
// after some dozens of changes: each old table refers to the next one and to all that it once held. Once one of
// them is in the old generation, every later object survives the collections of the young one (decision 0196).
// Invariant: an object is in one list at most, and knows its place there.

export interface Listed {
  /** For the list alone: the index in it; undefined outside of it. */
  place: number | undefined;
}

export class SwapList<T extends Listed> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  add(item: T): void {
    item.place = this.#items.length;
    this.#items.push(item);
  }

  /** Does nothing if the item is not in the list. The last item takes its place. */
  delete(item: T): void {
    const { place } = item;
    if (place === undefined) return;
    const last = this.#items.pop()!;
    if (last !== item) {
      this.#items[place] = last;
      last.place = place;
    }
    item.place = undefined;
  }

  /**
   * From the last to the first, so that items may leave meanwhile: all that stay come once at least. What is
   * added meanwhile does not come.
   */
  *[Symbol.iterator](): Generator<T, void> {
    for (let i = this.#items.length - 1; i >= 0; i--) {
      const item = this.#items[i];
      if (item !== undefined) yield item;
    }
  }
}
