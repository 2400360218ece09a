// Writes the table of normative statements into docs/conformance.md, between its two markers, so that
// the page cannot drift from the tests. Run it with `npm run docs:conformance`; table.test.ts fails
// while the page is outdated.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { readCatalogue, type Statement } from './catalogue.ts';

const PAGE = join(import.meta.dirname, '../../docs/conformance.md');
const BEGIN = '<!-- table: begin -->';
const END = '<!-- table: end -->';

function heldBy(statement: Statement): string {
  if (statement.tests.length > 0) {
    return statement.tests
      .map(
        (file) =>
          `[${file.replace(/^conformance\//, '').replace('.test.ts', '')}](../test/${file})`,
      )
      .join(', ');
  }
  return statement.reason || 'for clients';
}

function table(statements: Statement[]): string[] {
  return [
    '| number | for | statement | tested in |',
    '| --- | --- | --- | --- |',
    ...statements.map(
      (s) => `| ${s.tag} | ${s.addressee} | ${s.summary.replaceAll('|', '\\|')} | ${heldBy(s)} |`,
    ),
  ];
}

function count(statements: Statement[], version: string): string {
  const tested = statements.filter((s) => s.tests.length > 0).length;
  const reasoned = statements.filter((s) => s.tests.length === 0 && s.reason !== '').length;
  const rest = statements.length - tested - reasoned;
  return `| ${version} | ${statements.length} | ${tested} | ${reasoned} | ${rest} |`;
}

/** The generated part of the page. */
export function render(): string {
  const all = readCatalogue();
  const of = (version: string) => all.filter((s) => s.version === version);
  return [
    '| version | statements | with a test | with a reason | for clients alone |',
    '| --- | --- | --- | --- | --- |',
    count(of('3.1.1'), '3.1.1'),
    count(of('5.0'), '5.0'),
    '',
    '### MQTT 3.1.1',
    '',
    ...table(of('3.1.1')),
    '',
    '### MQTT 5.0',
    '',
    ...table(of('5.0')),
  ].join('\n');
}

export function readPage(): { page: string; generated: string } {
  const page = readFileSync(PAGE, 'utf8');
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`${PAGE} lacks its markers`);
  return { page, generated: page.slice(begin + BEGIN.length, end).trim() };
}

function main(): void {
  const { page } = readPage();
  const head = page.slice(0, page.indexOf(BEGIN) + BEGIN.length);
  const tail = page.slice(page.indexOf(END));
  writeFileSync(PAGE, `${head}\n\n${render()}\n\n${tail}`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main();
