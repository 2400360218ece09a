// Compares docs/configuration.md with the option table. To write the page after a change of the table:
// UPDATE_DOCS=1 npx tsx test/run.ts test/unit/config

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { optionTable } from '../../../src/config/config.ts';
import { type AnyOption, environmentName, groups } from '../../../src/config/option.ts';

const PAGE = 'docs/configuration.md';

const HEAD = `# Configuration

Every option can be a flag, a variable of the environment, or a key of a [TOML](https://toml.io)
file that \`-config\` names. A flag takes precedence over the environment, the environment over the
file, and the file over the default. \`shoal config show\` prints each value and its origin;
\`shoal check\` looks for mistakes without starting a node.

\`\`\`toml
# shoal.toml
nid = "box1"
csk-file = "/etc/shoal/token"
mbs = ["192.168.1.101:7946", "192.168.1.102"]
max-packet-size = "256k"
\`\`\`

Sizes take the units k, M and G (powers of 1024); times take ms, s, m, h and d. An unknown key is an
error. SIGHUP and \`shoal config set\` apply an option marked *reload*, and the tables \`[[listener]]\` and \`[[bridge]]\`; a change of any other option
needs a restart. The file may also have a \`[[listener]]\` for each port: [listeners.md](listeners.md).

A relative path in the file counts from the folder of the file. A relative path in a flag or in the
environment counts from the working directory.
`;

test('docs/configuration.md has every option of the table', () => {
  const page = renderPage();
  if (process.env.UPDATE_DOCS !== undefined) writeFileSync(PAGE, page);
  assert.equal(readFileSync(PAGE, 'utf8'), page);
});

test('every option has a name of its own and a group that is printed', () => {
  const rows: AnyOption[] = Object.values(optionTable);
  assert.equal(new Set(rows.map((row) => row.flag)).size, rows.length);
  assert.ok(rows.every((row) => groups.includes(row.group)));
});

function renderPage(): string {
  const rows: AnyOption[] = Object.values(optionTable);
  const sections = groups.map((group) => {
    const lines = rows.filter((row) => row.group === group).map(renderRow);
    return `\n## ${group}\n\n| flag | environment | default | value | meaning |\n| --- | --- | --- | --- | --- |\n${lines.join('')}`;
  });
  return HEAD + sections.join('');
}

function renderRow(row: AnyOption): string {
  const { fallback, fallbackText, type } = row;
  const plain = fallback === undefined || typeof fallback === 'function' ? 'none' : undefined;
  const cells = [
    `\`-${row.flag}\``,
    `\`${environmentName(row.flag)}\``,
    fallbackText ?? plain ?? `\`${type.format(fallback)}\``,
    type.expected,
    `${row.help}${row.reload === true ? ' *(reload)*' : ''}`,
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`;
}
