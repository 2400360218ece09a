// The node: the one place that knows all parts and joins them.

import type { Config } from './config/config.ts';
import type { Endpoint } from './shared/endpoint.ts';
import type { Logger } from './shared/logger.ts';

export interface RunningNode {
  /** Where MQTT clients connect. */
  readonly tcp: Endpoint;
  readonly gossip?: Endpoint;
  readonly sync?: Endpoint;
  /** Resolves when something happened that the node can't go on after. */
  readonly fatal: Promise<Error>;
  stop(): Promise<void>;
}

export async function runNode(_config: Config, _log: Logger): Promise<RunningNode> {
  throw new Error('not there yet');
}
