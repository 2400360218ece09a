// What is still to be told to the others, by name: the record itself is taken from the table at the
// moment of sending, so that the newest is told. Invariant: at most one entry a name, so it is
// bounded by the table. Source: SWIM paper 4.1 (infection-style dissemination).

export class UpdateQueue {
  /** Name to how often it is still to be sent; in turn, whoever was just sent goes to the end. */
  readonly #left = new Map<string, number>();
  /** Our own refutation goes before everything else. */
  readonly #selfName: string;

  constructor(selfName: string) {
    this.#selfName = selfName;
  }

  get size(): number {
    return this.#left.size;
  }

  /** @param times how often to send it; counted anew where the name is queued already */
  add(name: string, times: number): void {
    this.#left.delete(name);
    this.#left.set(name, times);
  }

  clear(): void {
    this.#left.clear();
  }

  /**
   * Gives names, one after the other, to `take` until it refuses one or every name was offered.
   * @param take true = it was sent, which is counted
   */
  drain(take: (name: string) => boolean): void {
    const names = [...this.#left.keys()];
    if (this.#left.has(this.#selfName) && !this.#offer(this.#selfName, take)) return;
    for (const name of names) {
      if (name !== this.#selfName && !this.#offer(name, take)) return;
    }
  }

  #offer(name: string, take: (name: string) => boolean): boolean {
    if (!take(name)) return false;
    const left = (this.#left.get(name) ?? 0) - 1;
    this.#left.delete(name);
    if (left > 0) this.#left.set(name, left);
    return true;
  }
}
