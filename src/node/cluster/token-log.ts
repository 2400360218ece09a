// The log lines about the cluster's tokens. A token itself appears in none of them.

import { type KeyRing, tokenIds } from '../../shared/key-ring.ts';
import type { Logger } from '../../shared/logger.ts';

export function logNewTokens(before: KeyRing, now: KeyRing, log: Logger): void {
  const [old, ids] = [tokenIds(before), tokenIds(now)];
  if (old.join() === ids.join()) return;
  log.info('cluster tokens changed: the first signs, all are accepted', {
    signs: ids[0],
    signedBefore: old[0],
    tokens: ids.length,
  });
}

/** A slip, such as a comma in a token, would show nowhere else. */
export function logTokens(tokens: readonly string[], log: Logger): void {
  if (tokens.length < 2) return;
  log.info('several cluster tokens: the first signs, all are accepted', { tokens: tokens.length });
}
