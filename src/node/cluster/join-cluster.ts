// The wait for the other nodes at the start: joins the cluster, and says in the log how that went. Invariant:
// it takes JOIN_MS_MAX at most, and ends at once when the node is stopped.

import { performance } from 'node:perf_hooks';
import type { Config } from '../../config/config.ts';
import type { Gossip } from '../../net/cluster/gossip.ts';
import type { NameInUseError } from '../../net/cluster/name-rival.ts';
import type { Logger } from '../../shared/logger.ts';

/** For the first answers of other nodes; then the node serves its clients without them. */
const JOIN_MS_MAX = 3000;
/** A wait that lasts longer has a line in the log. */
const NOTICEABLE_MS = 500;

/** Resolves when the signal is aborted. */
function aborted(signal: AbortSignal | undefined): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal?.aborted) resolve(undefined);
    signal?.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}

/** @returns the refusal if another node holds the name */
export async function joinCluster(
  gossip: Gossip,
  config: Config,
  log: Logger,
  cancel: AbortSignal | undefined,
): Promise<NameInUseError | undefined> {
  const startedAt = performance.now();
  const elapsedMs = (): number => Math.round(performance.now() - startedAt);
  const notice = setTimeout(() => {
    log.info('waiting for the other nodes before MQTT opens', { msMax: JOIN_MS_MAX });
  }, NOTICEABLE_MS);
  const cancelled = aborted(cancel);
  const refusal = await Promise.race([gossip.join(), cancelled]);
  const isWaiting = refusal === undefined && cancel?.aborted !== true;
  const msMax = Math.max(1, JOIN_MS_MAX - elapsedMs());
  const nodes = isWaiting ? await Promise.race([gossip.joined(msMax), cancelled]) : 0;
  clearTimeout(notice);
  if (refusal !== undefined || nodes === undefined || !isWaiting) return refusal;
  if (nodes > 0) log.info('cluster joined', { nodes: nodes + 1, ms: elapsedMs() });
  else if (config.members.length > 0)
    log.warn('MQTT opens although no other node has answered', { ms: elapsedMs() });
  return undefined;
}
