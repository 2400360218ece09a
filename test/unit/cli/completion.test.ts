import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allCommands, commandTree } from '../../../src/cli/completion/command-tree.ts';
import { buildProgram } from '../../../src/cli/program.ts';
import { subcommands } from '../../../src/cli/subcommands.ts';
import { fakeContext } from '../../support/fake-context.ts';

const root = commandTree(buildProgram(fakeContext(), subcommands));
const at = (path: string) => allCommands(root).find((command) => command.path === path);
const flag = (path: string, name: string) => at(path)?.flags.find((one) => one.name === name);

test('commands, flags and values come from the definitions of the parser', () => {
  assert.ok(root.commands.length > 8);
  assert.equal(at('config show')?.name, 'show');
  assert.deepEqual(flag('', '-log-level')?.values, {
    kind: 'choice',
    words: ['debug', 'info', 'warn', 'error'],
  });
  assert.deepEqual(flag('', '-csk-file')?.values, { kind: 'file' });
  assert.deepEqual(flag('', '-data')?.values, { kind: 'folder' });
  assert.deepEqual(flag('', '-encrypt')?.values, { kind: 'none' });
  assert.equal(flag('', '-no-encrypt'), undefined);
  assert.deepEqual(flag('pub', '-t')?.values, { kind: 'text' });
  assert.deepEqual(at('ping')?.operand, { kind: 'live', list: 'nodes' });
  assert.deepEqual(flag('ban', '-client')?.values, { kind: 'live', list: 'clients' });
  assert.equal(at('names'), undefined, 'for the scripts, not for people');
  assert.deepEqual(at('completion')?.operand, { kind: 'choice', words: ['bash', 'zsh', 'fish'] });
});

test('every command has its help among the flags, under its own letter only', () => {
  for (const { path, flags } of allCommands(root)) {
    assert.ok(
      flags.some(({ name }) => name === '-help'),
      path,
    );
    assert.equal(new Set(flags.map(({ name }) => name)).size, flags.length, path);
  }
});
