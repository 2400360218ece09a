// The properties that travel with a message (MQTT 5.0 3.3.2.3), as an object for those who make or read
// messages, and as bytes for encodePublishHead(). The broker itself passes the bytes on unread.

import { PropertyId, walkProperties } from './properties.ts';

export interface MessageProperties {
  /** Payload Format Indicator: the payload is UTF-8. */
  readonly payloadIsText?: boolean | undefined;
  readonly contentType?: string | undefined;
  readonly responseTopic?: string | undefined;
  readonly correlationData?: Buffer | undefined;
  /** Name and value of each, in their order. */
  readonly userProperties?: readonly (readonly [string, string])[] | undefined;
}

/** In a new buffer, without the length in front. */
export function encodeMessageProperties(properties: MessageProperties): Buffer {
  const { payloadIsText, contentType, responseTopic, correlationData, userProperties } = properties;
  const parts: Buffer[] = [];
  if (payloadIsText === true) parts.push(Buffer.of(PropertyId.payloadFormatIndicator, 1));
  if (contentType !== undefined) {
    parts.push(binary(PropertyId.contentType, Buffer.from(contentType)));
  }
  if (responseTopic !== undefined) {
    parts.push(binary(PropertyId.responseTopic, Buffer.from(responseTopic)));
  }
  if (correlationData !== undefined)
    parts.push(binary(PropertyId.correlationData, correlationData));
  for (const [name, value] of userProperties ?? []) {
    parts.push(binary(PropertyId.userProperty, Buffer.from(name)), lengthAnd(Buffer.from(value)));
  }
  return Buffer.concat(parts);
}

function binary(id: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.of(id), lengthAnd(value)]);
}

function lengthAnd(value: Buffer): Buffer {
  return Buffer.concat([Buffer.of(value.length >> 8, value.length & 0xff), value]);
}

/** @param bytes well-formed, as the broker keeps them. @returns copies */
export function decodeMessageProperties(bytes: Buffer): MessageProperties {
  const found: { -readonly [Key in keyof MessageProperties]: MessageProperties[Key] } = {};
  const userProperties: [string, string][] = [];
  walkProperties(bytes, 0, bytes.length, 'publish', (id, start, end) => {
    switch (id) {
      case PropertyId.payloadFormatIndicator:
        found.payloadIsText = bytes[start] === 1;
        break;
      case PropertyId.contentType:
        found.contentType = bytes.toString('utf8', start + 2, end);
        break;
      case PropertyId.responseTopic:
        found.responseTopic = bytes.toString('utf8', start + 2, end);
        break;
      case PropertyId.correlationData:
        found.correlationData = Buffer.from(bytes.subarray(start + 2, end));
        break;
      case PropertyId.userProperty: {
        const nameEnd = start + 2 + bytes.readUInt16BE(start);
        const name = bytes.toString('utf8', start + 2, nameEnd);
        userProperties.push([name, bytes.toString('utf8', nameEnd + 2, end)]);
        break;
      }
    }
  });
  if (userProperties.length > 0) found.userProperties = userProperties;
  return found;
}
