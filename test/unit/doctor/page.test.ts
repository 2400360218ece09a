// Generates the table of docs/doctor.md from src/doctor/faults.ts, and compares the page with it. After a
// change: UPDATE_DOCS=1 npx tsx test/run.ts test/unit/doctor

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { faults } from '../../../src/doctor/faults.ts';
import { filesUnder, read } from '../../support/source-files.ts';

const PAGE = 'docs/doctor.md';
const HEAD = '| fault | means | cure |\n| --- | --- | --- |\n';

test('docs/doctor.md lists every fault as the doctor knows it', () => {
  const rows = Object.entries(faults).map(
    ([id, { means, cure }]) => `| \`${id}\` | ${means} | ${cure} |\n`,
  );
  const page = readFileSync(PAGE, 'utf8');
  const start = page.indexOf(HEAD);
  assert.ok(start >= 0, 'the page has the table');
  const end = page.indexOf('\n\n', start) + 1;
  const expected = page.slice(0, start) + HEAD + rows.join('') + page.slice(end);
  if (process.env.UPDATE_DOCS !== undefined) writeFileSync(PAGE, expected);
  assert.equal(readFileSync(PAGE, 'utf8'), expected);
});

test('every fault of the list is found by some check', () => {
  const checks = filesUnder('src/doctor', '.ts').filter((file) => !file.endsWith('faults.ts'));
  const sources = checks.map(read).join('');
  const unused = Object.keys(faults).filter((id) => !sources.includes(`'${id}'`));
  assert.deepEqual(unused, []);
});
