// Which of several nodes serves a message, chosen alike by all of them without a word: each node draws a
// number from a hash of node and message, and the highest score -weight / ln(draw) wins. So each node is
// chosen as often as its weight says, and when one dies only its own messages move.
// Source: weighted rendezvous hashing, logarithm method (Resch 2015; Schindelhauer, Schomaker 2005).

import { bootSeed } from '../shared/boot-seed.ts';
import { mixed } from './state-hash.ts';

const DRAWS = 2 ** 32;

export interface WeightedNode {
  readonly bootId: bigint;
  /** At least 1. */
  readonly weight: number;
}

export class WeightedNodes {
  readonly #nodes: readonly WeightedNode[];
  readonly #seeds: readonly number[];

  /** @param nodes at least one, in any order */
  constructor(nodes: readonly WeightedNode[]) {
    // The first of equal scores wins, so the order has to be the same everywhere.
    this.#nodes = [...nodes].sort((a, b) => (a.bootId < b.bootId ? -1 : 1));
    this.#seeds = this.#nodes.map(({ bootId }) => mixed(bootSeed(bootId)));
  }

  /** @param message hash of it, 32 bits. Allocates nothing. */
  choose(message: number): bigint {
    const nodes = this.#nodes;
    let chosen = nodes[0]!;
    if (nodes.length === 1) return chosen.bootId;
    let highest = 0;
    for (let index = 0; index < nodes.length; index++) {
      const draw = ((mixed(message ^ this.#seeds[index]!) >>> 0) + 0.5) / DRAWS;
      const score = -nodes[index]!.weight / Math.log(draw);
      if (score <= highest) continue;
      highest = score;
      chosen = nodes[index]!;
    }
    return chosen.bootId;
  }
}

/** Hash of a message for WeightedNodes, 32 bits. @param group seed: each group chooses for itself */
export function hashOfMessage(group: number, origin: number, number: number): number {
  const high = Math.floor(number / DRAWS);
  return mixed(mixed(mixed(group ^ origin) ^ high) ^ (number | 0));
}
