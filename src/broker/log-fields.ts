// The fields by which log lines name a connection and a client: the same in every line, so that a
// search for one of them finds the whole story.

import type { ProtocolVersion } from '../mqtt/publish-view.ts';
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

const MQTT_VERSIONS = { 3: '3.1', 4: '3.1.1', 5: '5.0' } as const;

/** As people write it: 3.1.1. */
export function formatVersion(version: ProtocolVersion): string {
  return MQTT_VERSIONS[version];
}

export function identityFields({ clientId, username }: Identity): LogFields {
  return { client: clientId, user: username };
}

/** Of a client whose session is known, and of its connection. */
export function connectionFields({
  session,
  info,
}: {
  readonly session: { readonly identity: Identity } | undefined;
  readonly info: ConnectionInfo;
}): LogFields {
  return {
    client: session?.identity.clientId,
    user: session?.identity.username,
    from: info.remoteAddress,
    fromPort: info.remotePort,
    listener: info.listenerAddress,
  };
}
