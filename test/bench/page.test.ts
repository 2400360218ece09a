// docs/performance.md shows what was measured last, and nothing that somebody typed.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { PAGE, renderedPage } from './table.ts';
import { TABLES } from './tables/all.ts';

test('docs/performance.md has the figures of test/bench/results.json', () => {
  const page = readFileSync(PAGE, 'utf8');
  const why = 'write the page with `npm run bench -- --docs`';
  assert.equal(renderedPage(page, TABLES), page, why);
});
