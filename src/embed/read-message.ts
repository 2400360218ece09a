// Checks a message that a program publishes, and makes it the broker's own kind of message.

import type { OwnMessage } from '../broker/distributor.ts';
import { STRING_BYTES_MAX } from '../mqtt/limits.ts';
import { isReservedTopic, isTopicName } from '../mqtt/topic.ts';
import type * as api from './api.ts';
import { ShoalError } from './errors.ts';

const NO_BYTES = Buffer.alloc(0);

/** @throws ShoalError `INVALID_ARGUMENT` */
export function readMessage(message: api.PublishMessage): { topic: string; content: OwnMessage } {
  const { topic, payload, qos = 0, retain = false } = message ?? {};
  checkTopic(topic);
  if (qos !== 0 && qos !== 1 && qos !== 2) throw wrong('qos', qos, '0, 1 or 2');
  if (typeof retain !== 'boolean') throw wrong('retain', retain, 'true or false');
  const content = {
    payload: bytesOf(payload),
    properties: NO_BYTES,
    qos,
    retain,
    expirySeconds: -1,
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
