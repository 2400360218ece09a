// Encodes the properties of a PUBLISH that a client makes itself (MQTT 5.0 3.3.2.3), as bytes for
// encodePublishHead().

import { PropertyId } from './properties.ts';

export interface MessageProperties {
  readonly responseTopic?: string;
  readonly correlationData?: Buffer;
}

/** In a new buffer, without the length in front. */
export function encodeMessageProperties(properties: MessageProperties): Buffer {
  const { responseTopic, correlationData } = properties;
  const parts: Buffer[] = [];
  if (responseTopic !== undefined) {
    parts.push(binary(PropertyId.responseTopic, Buffer.from(responseTopic)));
  }
  if (correlationData !== undefined)
    parts.push(binary(PropertyId.correlationData, correlationData));
  return Buffer.concat(parts);
}

function binary(id: number, value: Buffer): Buffer {
  const head = Buffer.from([id, value.length >> 8, value.length & 0xff]);
  return Buffer.concat([head, value]);
}
