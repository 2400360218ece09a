// The fields by which log lines name a connection and a client: the same in every line, so that a
// search for one of them finds the whole story.
// Invariant: what is logged for every connection is one literal. Node 20 gives each object with a spread a
// hidden class of its own, 400 bytes for as long as the line is kept (decision 0195).

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

interface Connected {
  readonly session: { readonly identity: Identity } | undefined;
  readonly info: ConnectionInfo;
}

/** Of a client whose session is known, and of its connection. @param name of one field more, with its value */
export function connectionFields(
  { session, info }: Connected,
  name?: string,
  value?: string,
): LogFields {
  const fields: Record<string, LogFields[string]> = {
    client: session?.identity.clientId,
    user: session?.identity.username,
    from: info.remoteAddress,
    fromPort: info.remotePort,
    listener: info.listenerAddress,
  };
  if (name !== undefined) fields[name] = value;
  return fields;
}
