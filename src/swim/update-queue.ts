// The names of members whose records are still to be gossiped. Only names are queued: the record is
// read from the table when it is sent, so that the newest one goes out. Invariant: at most one
// entry for each name, so the table bounds the queue. Source: SWIM paper 4.1 (infection-style
// dissemination).

export class UpdateQueue {
  /** Name to remaining transmissions; the name that was sent longest ago comes first. */
  readonly #remaining = new Map<string, number>();
  /** Our own refutation goes before all other updates. */
  readonly #selfName: string;

  constructor(selfName: string) {
    this.#selfName = selfName;
  }

  get size(): number {
    return this.#remaining.size;
  }

  /** @param transmissions how often to send it; replaces what remains of an earlier update */
  add(name: string, transmissions: number): void {
    this.#remaining.delete(name);
    this.#remaining.set(name, transmissions);
  }

  clear(): void {
    this.#remaining.clear();
  }

  /**
   * Offers the names one after the other to `take`, until it refuses one or all were offered.
   * @param take returns true if it sent the record, which uses up one transmission
   */
  drain(take: (name: string) => boolean): void {
    const names = [...this.#remaining.keys()];
    if (this.#remaining.has(this.#selfName) && !this.#offer(this.#selfName, take)) return;
    for (const name of names) {
      if (name !== this.#selfName && !this.#offer(name, take)) return;
    }
  }

  #offer(name: string, take: (name: string) => boolean): boolean {
    if (!take(name)) return false;
    const remaining = (this.#remaining.get(name) ?? 0) - 1;
    this.#remaining.delete(name);
    if (remaining > 0) this.#remaining.set(name, remaining);
    return true;
  }
}
