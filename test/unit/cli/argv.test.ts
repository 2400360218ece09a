import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command } from 'commander';
import { normalizeArgv } from '../../../src/cli/argv.ts';
import { UsageError } from '../../../src/cli/exit-codes.ts';

function program(): Command {
  const root = new Command().option('--nid <name>').option('--encrypt').option('--no-encrypt');
  root.command('pub').option('-t, --topic <topic>').option('-r, --retain').option('-q <level>');
  root.command('config').command('show').option('--nid <name>');
  return root;
}

const normalize = (...tokens: string[]): string[] => normalizeArgv(tokens, program());

test('-nid=x, -nid x, --nid=x and --nid x mean the same', () => {
  for (const tokens of [['-nid=n1'], ['-nid', 'n1'], ['--nid=n1'], ['--nid', 'n1']]) {
    assert.deepEqual(normalize(...tokens), ['--nid=n1'], tokens.join(' '));
  }
});

test('a flag with a value takes the next token whatever it looks like', () => {
  assert.deepEqual(normalize('-nid', '-encrypt'), ['--nid=-encrypt']);
  assert.deepEqual(normalize('-nid', '--'), ['--nid=--']);
  assert.deepEqual(normalize('-nid', ''), ['--nid=']);
});

test('a value keeps its equals signs', () => {
  assert.deepEqual(normalize('-nid=a=b'), ['--nid=a=b']);
});

test('a flag whose value is missing is left for commander to refuse', () => {
  assert.deepEqual(normalize('-nid'), ['--nid']);
});

test('a switch is turned on and off with a word', () => {
  assert.deepEqual(normalize('-encrypt'), ['--encrypt']);
  assert.deepEqual(normalize('-encrypt=true', '--encrypt=1'), ['--encrypt', '--encrypt']);
  assert.deepEqual(normalize('-encrypt=false', '-encrypt=off'), ['--no-encrypt', '--no-encrypt']);
  assert.deepEqual(normalize('-no-encrypt'), ['--no-encrypt']);
  assert.throws(() => normalize('-encrypt=perhaps'), UsageError);
});

test('a switch takes no token that follows', () => {
  assert.deepEqual(normalize('-encrypt', 'false'), ['--encrypt', 'false']);
});

test('an unknown flag reaches commander without its value, so that commander can suggest another', () => {
  assert.deepEqual(normalize('-nod=1', '--nix'), ['--nod', '--nix']);
});

test('after the name of a subcommand its own flags apply', () => {
  assert.deepEqual(normalize('pub', '-topic', '-x', '-retain'), ['pub', '--topic=-x', '--retain']);
  assert.deepEqual(normalize('config', 'show', '-nid', 'n1'), ['config', 'show', '--nid=n1']);
});

test('flags before or behind a group without a subcommand are left out: its help follows', () => {
  assert.deepEqual(normalize('-nid', 'n1', 'config'), ['config']);
  assert.deepEqual(normalize('config', '-nix'), ['config', '--nix']);
});

test('a flag before the name of a subcommand is one of the subcommand', () => {
  const wanted = ['config', 'show', '--nid=n1', '--nid=n2'];
  assert.deepEqual(normalize('-nid', 'n1', 'config', 'show', '-nid=n2'), wanted);
  assert.deepEqual(normalize('-nid=secret', 'pub'), ['pub', '--nid']);
  assert.deepEqual(normalize('-version', 'pub'), ['--version', 'pub']);
});

test('single-letter flags pass, also with a value after an equals sign', () => {
  assert.deepEqual(normalize('pub', '-t', '-a', '-r'), ['pub', '--topic=-a', '-r']);
  assert.deepEqual(normalize('pub', '-t=a', '-q=1'), ['pub', '--topic=a', '-q', '1']);
});

test('everything after -- and every negative number passes unchanged', () => {
  assert.deepEqual(normalize('pub', '-5', '--', '-nid=x'), ['pub', '-5', '--', '-nid=x']);
});
