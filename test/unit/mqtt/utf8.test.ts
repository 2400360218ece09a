import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isStrictUtf8, isWellFormed } from '../../../src/mqtt/utf8.ts';

const strict = (bytes: number[]): boolean => isStrictUtf8(Buffer.from(bytes), 0, bytes.length);

test('well-formed text is accepted, including U+FEFF and U+FFFD [MQTT5-1.5.4-3]', () => {
  for (const text of ['', 'abc', 'ü/€/𝄞', '\ufeffx', '\ufffd', 'a\u0001']) {
    const bytes = Buffer.from(text, 'utf8');
    assert.ok(isStrictUtf8(bytes, 0, bytes.length), JSON.stringify(text));
  }
});

test('U+0000, surrogates, overlong and truncated sequences are refused [MQTT5-1.5.4-1, 1.5.4-2]', () => {
  const bad = [
    [0x61, 0x00],
    [0xc3, 0xbc, 0x00],
    [0xed, 0xa0, 0x80],
    [0xc0, 0x80],
    [0xe2, 0x82],
    [0xff],
    [0x80],
    [0xf4, 0x90, 0x80, 0x80],
    [0xef, 0xbf, 0xbd, 0xff],
  ];
  for (const bytes of bad) assert.ok(!strict(bytes), bytes.map((b) => b.toString(16)).join(' '));
});

test('only the given range is checked', () => {
  const bytes = Buffer.from([0x00, 0x61, 0x62, 0xff]);
  assert.ok(isStrictUtf8(bytes, 1, 3));
  assert.ok(!isStrictUtf8(bytes, 1, 4));
});

test('a payload may contain U+0000', () => {
  assert.ok(isWellFormed(Buffer.from([0x61, 0x00]), 0, 2));
  assert.ok(!isWellFormed(Buffer.from([0x61, 0xff]), 0, 2));
});
