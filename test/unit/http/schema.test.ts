// Schemas refuse what their route does not accept, with a sentence that names the value.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  array,
  flag,
  InputError,
  integer,
  object,
  oneOf,
  optional,
  queryValue,
  type Schema,
  text,
} from '../../../src/http/schema.ts';

const message = object({
  topic: text({ minLength: 1, maxLength: 8 }),
  qos: optional(integer(0, 2)),
  kind: optional(oneOf(['a', 'b'])),
  retain: optional(flag()),
  tags: optional(array(text(), 2)),
});

function refusal(schema: Schema<unknown>, value: unknown): string {
  try {
    schema.read(value, 'The body');
  } catch (error) {
    assert.ok(error instanceof InputError);
    return error.message;
  }
  return 'accepted';
}

test('a value that fits is read, without what it leaves out', () => {
  const value = { topic: 't', qos: 1, kind: 'b', retain: true, tags: ['x'] };
  assert.deepEqual(message.read(value, 'The body'), value);
  assert.deepEqual(message.read({ topic: 't' }, 'The body'), { topic: 't' });
});

test('a value that does not fit is refused by name', () => {
  const cases: [unknown, string][] = [
    [undefined, 'The body must be an object'],
    [[], 'The body must be an object'],
    [{}, "The body needs 'topic'"],
    [{ topic: 7 }, "'topic' must be a text"],
    [{ topic: '' }, "'topic' must not be empty"],
    [{ topic: '123456789' }, "'topic' is too long: 8 characters at most"],
    [{ topic: 't', qos: 3 }, "'qos' must be a whole number from 0 to 2"],
    [{ topic: 't', qos: 0.5 }, "'qos' must be a whole number from 0 to 2"],
    [{ topic: 't', kind: 'c' }, "'kind' must be one of a, b"],
    [{ topic: 't', retain: 'yes' }, "'retain' must be true or false"],
    [{ topic: 't', tags: ['x', 'y', 'z'] }, "'tags' has more than 2 items"],
    [{ topic: 't', tags: [1] }, "'tags'[0] must be a text"],
    [{ topic: 't', x: 1 }, "The body has no 'x'; it takes topic, qos, kind, retain, tags"],
    [JSON.parse('{"topic":"t","__proto__":1}'), "The body has no '__proto__'"],
  ];
  for (const [value, expected] of cases) {
    assert.ok(refusal(message, value).startsWith(expected), refusal(message, value));
  }
});

test('a value of the query has the type of its schema', () => {
  assert.equal(queryValue(integer(0, 9), '7'), 7);
  assert.equal(queryValue(integer(0, 9), '7x'), '7x');
  assert.equal(queryValue(flag(), 'true'), true);
  assert.equal(queryValue(text(), '7'), '7');
});
