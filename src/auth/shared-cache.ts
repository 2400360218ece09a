// A bounded cache that several owners share. When it is full, the owner with the most entries loses its
// oldest one, so that one user with many clients evicts only itself.

interface Entry<T> {
  readonly owner: string;
  readonly value: T;
}

export class SharedCache<T> {
  /** Entries removed to make room. */
  evictions = 0;
  readonly #entriesMax: number;
  readonly #entries = new Map<string, Entry<T>>();
  /** Keys of each owner, the oldest first; no set is empty. */
  readonly #keysByOwner = new Map<string, Set<string>>();

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax;
  }

  get(key: string): T | undefined {
    return this.#entries.get(key)?.value;
  }

  set(key: string, owner: string, value: T): void {
    this.delete(key);
    if (this.#entries.size >= this.#entriesMax) this.#evict();
    this.#entries.set(key, { owner, value });
    const keys = this.#keysByOwner.get(owner);
    if (keys === undefined) this.#keysByOwner.set(owner, new Set([key]));
    else keys.add(key);
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    const keys = this.#keysByOwner.get(entry.owner);
    keys?.delete(key);
    if (keys?.size === 0) this.#keysByOwner.delete(entry.owner);
  }

  clear(): void {
    this.#entries.clear();
    this.#keysByOwner.clear();
  }

  #evict(): void {
    let largest: Set<string> | undefined;
    for (const keys of this.#keysByOwner.values()) {
      if (largest === undefined || keys.size > largest.size) largest = keys;
    }
    const [oldest] = largest ?? [];
    if (oldest === undefined) return;
    this.evictions += 1;
    this.delete(oldest);
  }
}
