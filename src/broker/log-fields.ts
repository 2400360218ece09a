// Where a connection comes from, for the log: the same fields in each line about it.

import type { LogFields } from '../shared/logger.ts';
import type { ConnectionInfo } from './ports.ts';

export function originOf({
  remoteAddress,
  remotePort,
  listenerAddress,
}: ConnectionInfo): LogFields {
  return { from: remoteAddress, fromPort: remotePort, listener: listenerAddress };
}
