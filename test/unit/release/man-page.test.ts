import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { manPage } from '../../../release/man-page.ts';
import { allCommands, commandTree } from '../../../src/cli/completion/command-tree.ts';
import { exitCodes } from '../../../src/cli/exit-codes.ts';
import { buildProgram } from '../../../src/cli/program.ts';
import { subcommands } from '../../../src/cli/subcommands.ts';
import { optionTable } from '../../../src/config/config.ts';
import { fakeContext } from '../../support/fake-context.ts';
import { missingPrograms } from '../../support/programs.ts';

const commands = commandTree(buildProgram(fakeContext(), subcommands));
const page = manPage(commands, '1.2.0', 1_700_000_000);

/** The titles of its entries, as a reader sees them. */
const titles = [...page.matchAll(/^\.B (.*)$/gm)].map(([, title = '']) =>
  title.replaceAll('\\-', '-'),
);

test('the man page has every command, option and exit code', () => {
  for (const { path } of allCommands(commands)) {
    if (path !== '') assert.ok(titles.includes(path), path);
  }
  for (const { flag } of Object.values(optionTable)) {
    assert.ok(
      titles.some((title) => title === `-${flag}` || title.startsWith(`-${flag}=`)),
      flag,
    );
  }
  for (const code of Object.values(exitCodes)) assert.ok(titles.includes(`${code}`));
});

test('the same version and time make the same man page', () => {
  assert.match(page, /^\.TH SHOAL 1 "2023-11-14" "shoal 1\.2\.0"/);
  assert.equal(manPage(commands, '1.2.0', 1_700_000_000), page);
});

test('groff has nothing to complain of', { skip: missingPrograms('groff') }, () => {
  const { status, stderr } = spawnSync('groff', ['-man', '-Tutf8', '-wall', '-z'], { input: page });
  assert.equal(status, 0);
  assert.equal(stderr.toString(), '');
});
