// The examples in docs/embedding.md run as they are, on the built package, and print what the page says.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { NODE } from '../support/shoal-process.ts';

const page = readFileSync('docs/embedding.md', 'utf8');
const examples = [
  ...page.matchAll(/## ([^\n]+)\n\n```js\n([\s\S]*?)```\n\nIt prints:\n\n```text\n([\s\S]*?)```/g),
];

const project = mkdtempSync(join(tmpdir(), 'shoal examples '));
mkdirSync(join(project, 'node_modules'));
symlinkSync(resolve('.'), join(project, 'node_modules/shoal'), 'junction');
after(() => rmSync(project, { recursive: true }));

test('each example of the page is run here', () => {
  assert.equal(examples.length, page.match(/^```js$/gm)?.length);
  assert.ok(examples.length >= 3);
});

for (const [, title = '', code = '', output = ''] of examples) {
  test(`the example of "${title}" prints what the page says`, () => {
    const file = join(project, 'example.mjs');
    // The ports of the page may be in use here.
    writeFileSync(file, code.replace(/\b(1883|8083)\b/g, '0'));
    const printed = execFileSync(NODE, [file], { encoding: 'utf8', timeout: 120_000 });
    assert.equal(printed, output);
  });
}
