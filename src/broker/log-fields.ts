// The fields by which log lines name a connection and a client: the same in every line, so that a
// search for one of them finds the whole story.

import type { LogFields } from '../shared/logger.ts';
import type { ConnectionInfo, Identity } from './ports.ts';

/** Remote address and port, and the listener. */
export function originOf({
  remoteAddress,
  remotePort,
  listenerAddress,
}: ConnectionInfo): LogFields {
  return { from: remoteAddress, fromPort: remotePort, listener: listenerAddress };
}

export function identityFields({ clientId, username }: Identity): LogFields {
  return { client: clientId, user: username };
}
