// Checks a message that a program publishes, and makes it the broker's own kind of message.

import type { OwnMessage } from '../broker/distributor.ts';
import { STRING_BYTES_MAX } from '../mqtt/limits.ts';
import { encodeMessageProperties } from '../mqtt/message-properties.ts';
import { isReservedTopic, isTopicName } from '../mqtt/topic.ts';
import type * as api from './api.ts';
import { ShoalError } from './errors.ts';

const NO_BYTES = Buffer.alloc(0);
const UINT32_MAX = 2 ** 32 - 1;

/** @throws ShoalError `INVALID_ARGUMENT` */
export function readMessage(message: api.PublishMessage): { topic: string; content: OwnMessage } {
  const { topic, payload, qos = 0, retain = false, expirySeconds } = message ?? {};
  checkTopic(topic);
  checkQos(qos);
  if (typeof retain !== 'boolean') throw wrong('retain', retain, 'true or false');
  const isExpiry =
    expirySeconds === undefined ||
    (Number.isInteger(expirySeconds) && expirySeconds >= 0 && expirySeconds <= UINT32_MAX);
  if (!isExpiry) throw wrong('expirySeconds', expirySeconds, `a whole number up to ${UINT32_MAX}`);
  const content = {
    payload: bytesOf(payload),
    properties: message.properties === undefined ? NO_BYTES : propertyBytes(message.properties),
    qos,
    retain,
    expirySeconds: expirySeconds ?? -1,
  };
  return { topic, content };
}

function checkTopic(topic: unknown): void {
  const isValid =
    typeof topic === 'string' &&
    isTopicName(topic) &&
    !topic.includes('\0') &&
    Buffer.from(topic).toString() === topic &&
    Buffer.byteLength(topic) <= STRING_BYTES_MAX;
  if (!isValid) {
    throw wrong('topic', topic, `a Topic Name: no + and #, 1 to ${STRING_BYTES_MAX} bytes`);
  }
  if (isReservedTopic(topic)) {
    throw wrong('topic', topic, 'a topic without $ at its beginning, which is for the broker');
  }
}

/** A copy: the caller may change its bytes after the call. */
function bytesOf(payload: unknown): Buffer {
  if (payload === undefined) return NO_BYTES;
  if (typeof payload === 'string') return Buffer.from(payload);
  if (payload instanceof Uint8Array) return Buffer.from(payload);
  throw wrong('payload', payload, 'a string or bytes');
}

/** @throws ShoalError `INVALID_ARGUMENT` */
export function checkQos(qos: unknown): asserts qos is api.QoS {
  if (qos !== 0 && qos !== 1 && qos !== 2) throw wrong('qos', qos, '0, 1 or 2');
}

function propertyBytes(properties: api.MessageProperties): Buffer {
  if (properties === null || typeof properties !== 'object') {
    throw wrong('properties', properties, 'an object');
  }
  const { payloadIsText, contentType, responseTopic, correlationData, userProperties } = properties;
  if (payloadIsText !== undefined && typeof payloadIsText !== 'boolean') {
    throw wrong('properties.payloadIsText', payloadIsText, 'true or false');
  }
  if (contentType !== undefined) checkText('properties.contentType', contentType);
  if (responseTopic !== undefined) checkText('properties.responseTopic', responseTopic);
  if (responseTopic !== undefined && !isTopicName(responseTopic)) {
    throw wrong('properties.responseTopic', responseTopic, 'a Topic Name: no + and #');
  }
  const isData = correlationData === undefined || correlationData instanceof Uint8Array;
  if (!isData || (correlationData?.length ?? 0) > STRING_BYTES_MAX) {
    throw wrong('properties.correlationData', correlationData, `at most ${STRING_BYTES_MAX} bytes`);
  }
  const pairs = userProperties ?? [];
  const isList =
    Array.isArray(pairs) && pairs.every((one) => Array.isArray(one) && one.length === 2);
  if (!isList) throw wrong('properties.userProperties', pairs, 'an array of [name, value]');
  for (const text of pairs.flat()) checkText('properties.userProperties', text);
  const data = correlationData && Buffer.from(correlationData);
  return encodeMessageProperties({ ...properties, correlationData: data });
}

function checkText(name: string, text: unknown): void {
  const isValid =
    typeof text === 'string' &&
    !text.includes('\0') &&
    Buffer.from(text).toString() === text &&
    Buffer.byteLength(text) <= STRING_BYTES_MAX;
  if (!isValid) throw wrong(name, text, `text of at most ${STRING_BYTES_MAX} bytes without NUL`);
}

export function wrong(name: string, value: unknown, expected: string): ShoalError {
  const shown = typeof value === 'string' ? `'${value}'` : describe(value);
  return new ShoalError('INVALID_ARGUMENT', `bad ${name} ${shown}: expected ${expected}`);
}

function describe(value: unknown): string {
  if (value === null || ['number', 'boolean', 'undefined'].includes(typeof value)) {
    return String(value);
  }
  return `of type ${typeof value}`;
}
