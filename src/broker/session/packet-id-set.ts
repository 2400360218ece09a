// A set of Packet Identifiers that is small most of the time: an array while it is small, a Set
// beyond. Under constant insertion and deletion a Set would keep the garbage collector busy.

const SMALL_MAX = 128;

export class PacketIdSet {
  #small: number[] = [];
  #large: Set<number> | undefined;

  get size(): number {
    return this.#large?.size ?? this.#small.length;
  }

  has(packetId: number): boolean {
    return this.#large?.has(packetId) ?? this.#small.includes(packetId);
  }

  add(packetId: number): void {
    if (this.has(packetId)) return;
    if (this.#large === undefined && this.#small.length >= SMALL_MAX) {
      this.#large = new Set(this.#small);
      this.#small = [];
    }
    if (this.#large !== undefined) this.#large.add(packetId);
    else this.#small.push(packetId);
  }

  toArray(): number[] {
    return [...(this.#large ?? this.#small)];
  }

  /** True if the set contained it. */
  delete(packetId: number): boolean {
    if (this.#large !== undefined) return this.#large.delete(packetId);
    const small = this.#small;
    const index = small.indexOf(packetId);
    if (index === -1) return false;
    const last = small.pop()!;
    if (index < small.length) small[index] = last;
    return true;
  }
}
