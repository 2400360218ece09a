// A set of Topic Filters as a tree of levels: does any of them match a topic? A question visits one path
// for each shape of filter, not each filter.
// Source: MQTT 5.0 4.7.

import { isReservedTopic } from './topic.ts';

interface FilterNode {
  readonly children: Map<string, FilterNode>;
  /** A filter ends here. */
  isEnd: boolean;
}

export class FilterSet {
  readonly #root = newNode();

  /** @param filters valid Topic Filters */
  constructor(filters: Iterable<string>) {
    for (const filter of filters) {
      let node = this.#root;
      for (const level of filter.split('/')) {
        let child = node.children.get(level);
        if (child === undefined) {
          child = newNode();
          node.children.set(level, child);
        }
        node = child;
      }
      node.isEnd = true;
    }
  }

  /** @param levels of a valid Topic Name, split at `/` */
  matches(levels: readonly string[]): boolean {
    return matchesBelow(this.#root, levels, 0);
  }
}

function newNode(): FilterNode {
  return { children: new Map(), isEnd: false };
}

function matchesBelow(node: FilterNode, levels: readonly string[], depth: number): boolean {
  const level = levels[depth];
  // A wildcard at the first level does not match a topic that begins with `$` [MQTT5-4.7.2-1].
  const mayWildcard = depth > 0 || level === undefined || !isReservedTopic(level);
  // `a/#` matches `a` too (4.7.1.2).
  if (mayWildcard && node.children.has('#')) return true;
  if (level === undefined) return node.isEnd;
  const exact = node.children.get(level);
  if (exact !== undefined && matchesBelow(exact, levels, depth + 1)) return true;
  const plus = mayWildcard ? node.children.get('+') : undefined;
  return plus !== undefined && matchesBelow(plus, levels, depth + 1);
}
