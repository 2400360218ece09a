// The registers in which a node says what its sessions subscribe to.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JOINED_BYTES_MAX, JOINED_FILTER_BYTES_MAX } from '../../../src/mqtt/joined-filters.ts';
import {
  decodeFilters,
  encodeFilters,
  FILTER_REGISTERS_MAX,
} from '../../../src/replica/filters-value.ts';
import { seededRandom } from '../../support/random.ts';

test('a list of any size within the bounds fits into its registers and comes back whole', () => {
  const random = seededRandom(3);
  for (let round = 0; round < 300; round++) {
    const filters: string[] = [];
    let bytes = 0;
    for (;;) {
      const text = 'é'.repeat(1 + random() * 118);
      bytes += Buffer.byteLength(text) + 1;
      assert.ok(Buffer.byteLength(text) < JOINED_FILTER_BYTES_MAX);
      if (bytes > JOINED_BYTES_MAX) break;
      filters.push(text);
    }
    const values = encodeFilters(filters, round);
    assert.ok(values.length <= FILTER_REGISTERS_MAX);
    for (const value of values) assert.ok(value.length <= 1000);
    assert.deepEqual(decodeFilters(values), filters);
  }
  assert.deepEqual(decodeFilters(encodeFilters([], 1)), []);
});

test('a list of which a part is missing or of another list is no list', () => {
  const filters = Array.from({ length: 150 }, (_, i) => `device/${i}/command`);
  const values = encodeFilters(filters, 7);
  assert.ok(values.length > 1);
  assert.equal(decodeFilters([values[0], undefined]), undefined);
  assert.equal(decodeFilters([values[0], ...encodeFilters(filters, 8).slice(1)]), undefined);
  assert.equal(decodeFilters([undefined, ...values.slice(1)]), undefined);
});

test('bytes of any kind are a list or none, and never an error', () => {
  const random = seededRandom(4);
  for (let round = 0; round < 2000; round++) {
    const value = Buffer.from(Array.from({ length: random() * 30 }, () => random() * 256));
    if (value.length > 4 && random() < 0.5) value[4] = 1;
    decodeFilters([value]);
  }
});

test('a node that subscribes to a and b/# writes the bytes of the protocol page', () => {
  assert.equal(encodeFilters(['a', 'b/#'], 2)[0]?.toString('hex'), '000000020101610362' + '2f23');
});
