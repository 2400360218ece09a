// The children of a node in a tree of topic levels. Most nodes have a single child, and a Map for it
// would be larger than the rest of the node: a single child is a field, several are in a Map.

export class LevelMap<Node> {
  #level: string | undefined;
  #child: Node | undefined;
  #map: Map<string, Node> | undefined;

  get size(): number {
    if (this.#map !== undefined) return this.#map.size;
    return this.#child === undefined ? 0 : 1;
  }

  get(level: string): Node | undefined {
    if (this.#map !== undefined) return this.#map.get(level);
    return this.#level === level ? this.#child : undefined;
  }

  set(level: string, child: Node): void {
    if (this.#map !== undefined) {
      this.#map.set(level, child);
    } else if (this.#child === undefined || this.#level === level) {
      this.#level = level;
      this.#child = child;
    } else {
      this.#map = new Map([
        [this.#level!, this.#child],
        [level, child],
      ]);
      this.#level = undefined;
      this.#child = undefined;
    }
  }

  delete(level: string): void {
    if (this.#map !== undefined) {
      this.#map.delete(level);
    } else if (this.#level === level) {
      this.#level = undefined;
      this.#child = undefined;
    }
  }

  /** Each child once; children may be added and deleted during the walk, as in a Map. */
  *values(): Generator<Node> {
    for (const [, child] of this.entries()) yield child;
  }

  /** The same, with the level of each child. */
  *entries(): Generator<[string, Node]> {
    const first = this.#level;
    if (first !== undefined && this.#child !== undefined) yield [first, this.#child];
    if (this.#map === undefined) return;
    for (const entry of this.#map) if (entry[0] !== first) yield entry;
  }
}
