// docs/bridge.md ends with the keys of a [[bridge]], made from their table. UPDATE_DOCS=1 writes it. Its
// examples are configurations that load.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { bridgeTable } from '../../../src/config/bridges.ts';
import { loadConfig } from '../../../src/config/load.ts';
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

test('the examples of docs/bridge.md load', () => {
  const page = readFileSync(PAGE, 'utf8');
  const examples = page.match(/(?:^ {4}\S.*\n)+/gm)?.filter((text) => text.includes('address ='));
  assert.ok(examples !== undefined && examples.length >= 8);
  for (const example of examples) {
    const lines = example.replace(/^ {4}/gm, '').replace('[[bridge]]\nname = "hq"\n', '');
    const text = `[[bridge]]\nname = "x"\n${lines}`;
    const host = { environment: {}, hostName: 'box', readFile: () => text };
    const { config } = loadConfig({ config: 'x.toml' }, host);
    assert.equal(config.bridges.length, 1, example);
  }
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
