// docs/bridge.md ends with the keys of a [[bridge]], made from their table. UPDATE_DOCS=1 writes it.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { bridgeTable } from '../../../src/config/bridges.ts';
import type { AnyOption } from '../../../src/config/option.ts';

const PAGE = 'docs/bridge.md';
const HEADING = '## Keys\n';

test('docs/bridge.md has every key of a [[bridge]]', () => {
  const page = readFileSync(PAGE, 'utf8');
  const [text = ''] = page.split(HEADING);
  const wanted = text + renderKeys();
  if (process.env.UPDATE_DOCS !== undefined) writeFileSync(PAGE, wanted);
  assert.equal(readFileSync(PAGE, 'utf8'), wanted);
});

function renderKeys(): string {
  const rows = Object.values(bridgeTable).map(
    ({ flag, type, fallback, fallbackText, help }: AnyOption) => {
      const shown = fallback === undefined ? 'none' : `\`${type.format(fallback)}\``;
      const cells = [`\`${flag}\``, fallbackText ?? shown, type.expected, help];
      return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`;
    },
  );
  return `${HEADING}\n| key | default | value | meaning |\n| --- | --- | --- | --- |\n${rows.join('')}`;
}
