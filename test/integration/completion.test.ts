// The completion scripts in real shells: what the Tab key offers.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { runCommand } from '../support/run-command.ts';

const folder = mkdtempSync(join(tmpdir(), 'shoal-completion-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function missing(shell: string): string | false {
  return spawnSync(shell, ['-c', ':']).status === 0 ? false : `needs ${shell}`;
}

async function script(shell: string): Promise<string> {
  const { code, out, err } = await runCommand(['completion', shell]);
  assert.equal(code, 0, err);
  const file = join(folder, `_shoal.${shell}`);
  writeFileSync(file, out);
  return file;
}

/** Command line, and what the shell offers for its last word. */
const CASES: readonly (readonly [string, readonly string[]])[] = [
  ['shoal compl', ['completion']],
  ['shoal completion ', ['bash', 'fish', 'zsh']],
  ['shoal config ', ['set', 'show']],
  ['shoal -log-level ', ['debug', 'error', 'info', 'warn']],
  ['shoal -nid=x che', ['check']],
  ['shoal ping b', ['box1', 'box2']],
  ['shoal clients -node ', ['box1', 'box2']],
  ['shoal kick ', ['meter/1', 'thermo7']],
  ['shoal trace th', ['thermo7']],
  ['shoal config set watch', ['watch-files']],
];

/** In place of the program: a node knows these names. */
const programs = join(folder, 'bin');
mkdirSync(programs);
writeFileSync(
  join(programs, 'shoal'),
  `#!/bin/sh
case "$1 $2" in
  'names nodes') printf 'box1\\nbox2\\n' ;;
  'names clients') printf 'thermo7\\nmeter/1\\n' ;;
esac
`,
  { mode: 0o755 },
);
const PATH = `${programs}:${process.env.PATH}`;

test('bash completes commands, flags and values', { skip: missing('bash') }, async () => {
  const file = await script('bash');
  const offered = (...words: string[]): string[] => {
    const code = `source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _shoal 2>/dev/null
      printf '%s\\n' "\${COMPREPLY[@]}"`;
    const args = ['--norc', '-c', code, file, ...words];
    const out = execFileSync('bash', args, {
      encoding: 'utf8',
      cwd: folder,
      env: { ...process.env, PATH },
    });
    return out.trimEnd().split('\n').sort();
  };
  for (const [line, expected] of CASES) assert.deepEqual(offered(...line.split(' ')), expected);
  // bash makes the equals sign a word of its own.
  assert.deepEqual(offered('shoal', '-log-level', '=', 'd'), ['debug']);
  assert.deepEqual(offered('shoal', '-log-level', '='), ['debug', 'error', 'info', 'warn']);
  assert.deepEqual(offered('shoal', 'pub', '-repeat'), ['-repeat-delay=', '-repeat=']);
  assert.deepEqual(offered('shoal', '--ni'), ['-nid=']);
  assert.deepEqual(offered('shoal', 'convert', '_shoal.b'), ['_shoal.bash']);
  assert.deepEqual(offered('shoal', '-config', '=', '_shoal.b'), ['_shoal.bash']);
});

test('fish completes commands, flags and values', { skip: missing('fish') }, async () => {
  const file = await script('fish');
  const offered = (line: string): string[] => {
    const code = `source ${file}; complete -C ${JSON.stringify(line)}`;
    const out = execFileSync('fish', ['--no-config', '-c', code], {
      encoding: 'utf8',
      cwd: folder,
      env: { ...process.env, PATH },
    });
    return out
      .trimEnd()
      .split('\n')
      .map((one) => one.replace(/\t.*/, ''))
      .sort();
  };
  for (const [line, expected] of CASES) assert.deepEqual(offered(line), expected);
  assert.deepEqual(offered('shoal pub -rep'), ['-repeat', '-repeat-delay']);
});

test('zsh completes commands, flags and values', { skip: missing('zsh') }, async () => {
  const file = await script('zsh');
  // A terminal in which the command only prints what the Tab key has made of its arguments.
  const completed = (line: string): string => {
    // The shell echoes what is typed: the words to wait for are not in it as they are printed.
    const setup = `autoload -U compinit; compinit -u -D; source ${file}; PS1=
      shoal() { [[ $1 == names ]] && command shoal "$@" || print -r -- "GO"T"[$*]" }; print REA''DY`;
    const code = `zmodload zsh/zpty; zpty terminal zsh -f -i
      zpty -w terminal "$SETUP"; zpty -m -r terminal text '*READY*'
      zpty -w terminal "$LINE"$'\\t'; zpty -m -r terminal text '*GOT\\[*\\]*'
      print -r -- "$text"; zpty -d terminal`;
    const env = { PATH, TERM: 'dumb', SETUP: setup, LINE: line };
    const settings = { encoding: 'utf8', cwd: folder, timeout: 60_000, env } as const;
    const out = execFileSync('zsh', ['-f', '-c', code], settings);
    return /GOT\[(.*?)\]/.exec(out)?.[1] ?? out;
  };
  for (const [typed, meant] of [
    ['shoal compl', 'completion'],
    ['shoal completion fi', 'completion fish'],
    ['shoal config sh', 'config show'],
    // zsh takes the equals sign back where no value follows.
    ['shoal -log-lev', '-log-level'],
    ['shoal -log-level=de', '-log-level=debug'],
    ['shoal -nid=x che', '-nid=x check'],
    ['shoal pub -reta', 'pub -retain'],
    ['shoal convert _shoal.b', 'convert _shoal.bash'],
    ['shoal trace th', 'trace thermo7'],
    ['shoal config set -node=box1 watch-f', 'config set -node=box1 watch-files'],
  ] as const) {
    assert.equal(completed(typed).trim(), meant);
  }
});
