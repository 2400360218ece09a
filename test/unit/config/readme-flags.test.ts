// Compares the flag table of README.md with the option table.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { optionTable } from '../../../src/config/config.ts';
import type { AnyOption } from '../../../src/config/option.ts';

const rows: AnyOption[] = Object.values(optionTable);

test('every flag in the table of README.md exists, with the default that the table gives', () => {
  const readme = readFileSync('README.md', 'utf8');
  const [, section = ''] = /\n## Flags\n([\s\S]*?)\n## /.exec(`${readme}\n## `) ?? [];
  const lines = [...section.matchAll(/^\| (`-.*?) \| (.*?) \|/gm)];
  assert.ok(lines.length >= 10, 'the table is there');
  for (const [, flags = '', stated = ''] of lines) {
    for (const [, flag] of flags.matchAll(/`-([a-z-]+)`/g)) {
      const row = rows.find((option) => option.flag === flag);
      assert.ok(row !== undefined, `README.md names -${flag}`);
      const actual = defaultOf(row);
      assert.ok(actual.startsWith(stated), `-${flag}: README.md says '${stated}', not '${actual}'`);
    }
  }
});

/** The default in words, without an article. README.md may shorten it. */
function defaultOf({ fallback, fallbackText, type }: AnyOption): string {
  if (fallbackText !== undefined) return fallbackText.replace(/^the /, '');
  return fallback === undefined ? 'none' : type.format(fallback);
}
