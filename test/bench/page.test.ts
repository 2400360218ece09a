// docs/performance.md shows the last measurement; no figure in it is typed by hand.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { PAGE, renderedPage } from './table.ts';
import { TABLES } from './tables/all.ts';

test('docs/performance.md shows exactly the figures of test/bench/results.json', () => {
  const page = readFileSync(PAGE, 'utf8');
  const why = 'write the page with `npm run bench -- --docs`';
  assert.equal(renderedPage(page, TABLES), page, why);
});
