// Which encoding of a page a browser gets.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { acceptsBrotli } from '../../../src/http/pages.ts';

test('a page is sent compressed to a client that accepts brotli', () => {
  for (const header of ['br', 'gzip, deflate, br, zstd', 'gzip;q=1.0, BR;q=0.5', 'br ; q=1']) {
    assert.equal(acceptsBrotli(header), true, header);
  }
});

test('a page is sent as it is to a client that does not accept brotli', () => {
  for (const header of ['', 'gzip, deflate', 'brx', 'gzip, br;q=0', 'br;q=0.000', '*;q=0']) {
    assert.equal(acceptsBrotli(header), false, header);
  }
});
