// Which one of several nodes does a thing, chosen alike by all of them without a word: each node's weight
// for the thing is a hash of both, and the highest weight wins (rendezvous hashing, Thaler and
// Ravishankar 1998). When a node dies, only what it did is done by others.

import { StateHash } from './state-hash.ts';

/** @param nodes boot ids, at least one */
export function chooseNode(key: string, nodes: readonly bigint[]): bigint {
  let chosen = nodes[0]!;
  let highest = -1;
  for (const node of nodes) {
    const hash = new StateHash();
    hash.toggle(key, 0, node);
    if (hash.value > highest || (hash.value === highest && node > chosen)) {
      highest = hash.value;
      chosen = node;
    }
  }
  return chosen;
}
