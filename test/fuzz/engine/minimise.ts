// Of many inputs the few that reach all code that the many reach: what makes a corpus worth keeping, and small.

import { Coverage } from './coverage.ts';
import { tryInput } from './engine.ts';
import type { FuzzTarget } from './target.ts';

/**
 * @param always inputs that are in the corpus whatever they reach
 * @param others inputs of which only those stay that reach more; the shortest come first
 */
export async function smallestCover(
  target: FuzzTarget,
  always: readonly Buffer[],
  others: readonly Buffer[],
): Promise<Buffer[]> {
  const coverage = new Coverage((url) => target.covers(url));
  for (const input of always) await tryInput(target, input);
  coverage.hasGrown(true);
  const kept: Buffer[] = [];
  for (const input of others.toSorted((one, other) => one.length - other.length)) {
    await tryInput(target, input);
    if (coverage.hasGrown(true)) kept.push(input);
  }
  return kept;
}
