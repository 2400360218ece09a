// Random bytes: the parser of PROXY headers never throws, never waits for more than its limit, and
// returns an address with a port, or nothing.

import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { test } from 'node:test';
import { parseProxyHeader } from '../../src/net/clients/proxy-header.ts';

const ROUNDS = 100_000;
const HEADER_BYTES_MAX = 16 + 2048;
const seed = Number(process.env.SEED ?? 7);

const wellFormed = [
  Buffer.from('PROXY TCP4 203.0.113.7 192.0.2.1 40000 1883\r\n'),
  Buffer.from('PROXY TCP6 2001:db8::7 ::1 40000 1883\r\n'),
  Buffer.from('PROXY UNKNOWN\r\n'),
  Buffer.from('0d0a0d0a000d0a515549540a2111000ccb00710800000000b3af075b', 'hex'),
  Buffer.from(`0d0a0d0a000d0a515549540a21210024${'20'.repeat(36)}`, 'hex'),
  Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex'),
];

test('mutated headers are parsed, refused or incomplete, within the limit', () => {
  let state = seed;
  const below = (limit: number): number => {
    state = (state * 48_271) % 2_147_483_647;
    return state % limit;
  };
  const outcomes = { incomplete: 0, invalid: 0, parsed: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    const origin = wellFormed[below(wellFormed.length)] ?? Buffer.alloc(0);
    const bytes = Buffer.concat([origin, Buffer.alloc(below(20), below(256))]);
    for (let change = below(4); change > 0; change--) bytes[below(bytes.length)] = below(256);
    const input = bytes.subarray(0, below(4) === 0 ? below(bytes.length + 1) : bytes.length);
    const header = parseProxyHeader(input);
    if (typeof header === 'string') {
      outcomes[header] += 1;
      if (header === 'incomplete') {
        const filled = Buffer.concat([input, Buffer.alloc(HEADER_BYTES_MAX)]);
        assert.notEqual(parseProxyHeader(filled), 'incomplete', `seed ${seed}, round ${round}`);
      }
      continue;
    }
    outcomes.parsed += 1;
    assert.ok(header.bytes > 0 && header.bytes <= input.length, `seed ${seed}, round ${round}`);
    if (header.source === undefined) continue;
    assert.notEqual(isIP(header.source.address), 0, header.source.address);
    assert.ok(header.source.port >= 0 && header.source.port <= 65_535);
  }
  for (const count of Object.values(outcomes)) assert.ok(count > ROUNDS / 100);
});
