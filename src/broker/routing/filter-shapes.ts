// Counts in how many shapes the filters of all subscriptions come: which levels are wildcards, which
// are spelled out, and the name of the group. However a topic is chosen, it matches at most one node
// of each shape, for its own levels fill in the rest: so the number of shapes bounds what finding
// and serving the subscribers of one message costs beside its subscribers.
// Invariant: a shape is kept exactly while a node or group of the subscription tree uses it.

import { LevelMap } from './level-map.ts';

/** Real filters come in some dozens. At the bound finding a route takes some milliseconds. */
export const SHAPES_MAX = 10_000;

export interface Shape {
  readonly parent: Shape | undefined;
  readonly key: string;
  children: LevelMap<Shape> | undefined;
  uses: number;
}

/** What tells the shape of a level: `+`, `#`, or that it is spelled out. */
export function levelKey(level: string): string {
  return level === '+' || level === '#' ? level : '-';
}

export function groupKey(group: string): string {
  return `$${group}`;
}

export class FilterShapes {
  readonly root: Shape = { parent: undefined, key: '', children: undefined, uses: 1 };
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The shape one step below, with one more use. */
  use(parent: Shape, key: string): Shape {
    parent.children ??= new LevelMap();
    let shape = parent.children.get(key);
    if (shape === undefined) {
      shape = { parent, key, children: undefined, uses: 0 };
      parent.children.set(key, shape);
      this.#size += 1;
    }
    shape.uses += 1;
    return shape;
  }

  release(shape: Shape | undefined): void {
    if (shape === undefined) return;
    shape.uses -= 1;
    if (shape.uses > 0) return;
    shape.parent?.children?.delete(shape.key);
    this.#size -= 1;
  }

  /** True if a filter of these levels brings no new shape. */
  has(levels: readonly string[], group: string | undefined): boolean {
    let shape: Shape | undefined = this.root;
    for (const level of levels) shape = shape?.children?.get(levelKey(level));
    return group === undefined ? shape !== undefined : !!shape?.children?.get(groupKey(group));
  }
}
