// Counts the shapes of all subscribed filters: which levels are wildcards, which are spelled out, and
// the name of the group. A topic matches at most one node of each shape, because its own levels fill
// in the spelled-out ones. So the number of shapes bounds what finding and serving the subscribers of
// one message costs, in addition to its deliveries.
// Invariant: a shape exists exactly while a node or group of the subscription tree uses it.

import { LevelMap } from './level-map.ts';

/** Real filters have some dozens of shapes. At this bound a search for a route takes milliseconds. */
export const SHAPES_MAX = 10_000;

export interface Shape {
  readonly parent: Shape | undefined;
  readonly key: string;
  children: LevelMap<Shape> | undefined;
  uses: number;
}

/** A level's part of the shape: `+`, `#`, or `-` for a level that is spelled out. */
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

  /** The shape one level below `parent`, with one more use. */
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

  /** True if a filter of these levels adds no new shape. */
  has(levels: readonly string[], group: string | undefined): boolean {
    let shape: Shape | undefined = this.root;
    for (const level of levels) shape = shape?.children?.get(levelKey(level));
    return group === undefined ? shape !== undefined : !!shape?.children?.get(groupKey(group));
  }
}
