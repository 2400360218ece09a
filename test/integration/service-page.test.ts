// Checks the service section of docs/cli.md against the program and against systemd: the commands and
// files that a reader copies from it must work.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { exitCodes } from '../../src/cli/exit-codes.ts';
import { planOf } from '../../src/cli/service/plan.ts';
import { loadConfig } from '../../src/config/load.ts';

const page = readFileSync(resolve(import.meta.dirname, '../../docs/cli.md'), 'utf8');

function blocks(language: string): string[] {
  const pattern = new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``, 'g');
  return [...page.matchAll(pattern)].map(([, text = '']) => text);
}

test('the configuration of the service is valid, and the steps before it create its files', () => {
  const [toml = ''] = blocks('toml');
  const token = randomBytes(32).toString('hex');
  const { config, warnings } = loadConfig(
    { config: '/etc/shoal/shoal.toml' },
    {
      environment: {},
      hostName: 'box1',
      readFile: (path) => (path.endsWith('.toml') ? toml : token),
    },
  );
  assert.deepEqual(warnings, []);
  assert.equal(config.dataFolder, '/var/lib/shoal');
  const commands = blocks('sh').join('');
  for (const [, file = ''] of toml.matchAll(/"(\/etc\/[^"]+)"/g))
    assert.ok(commands.includes(file));
});

test('shoal service install writes the unit of the page', () => {
  const [toml = ''] = blocks('toml');
  const loaded = loadConfig(
    { config: '/etc/shoal/shoal.toml' },
    {
      environment: {},
      hostName: 'box1',
      readFile: (path) => (path.endsWith('.toml') ? toml : randomBytes(32).toString('hex')),
    },
  );
  const { unit, unitFile } = planOf(loaded, {
    ...{ name: 'shoal', user: 'shoal', memoryMax: '80%' },
    ...{ node: '/usr/local/bin/node' },
  });
  assert.equal(unit, blocks('ini')[0]);
  assert.equal(unitFile, '/etc/systemd/system/shoal.service');
});

test('the unit checks before a reload, and does not restart after an error that would remain', () => {
  const [unit = ''] = blocks('ini');
  const reloads = [...unit.matchAll(/^ExecReload=(.*)$/gm)].map(([, command = '']) => command);
  const [, start = ''] = /^ExecStart=(.*)$/m.exec(unit) ?? [];
  assert.deepEqual(reloads, [
    start.replace(' -config', ' check -config'),
    '/bin/kill -HUP $MAINPID',
  ]);
  const { usage, nameInUse } = exitCodes;
  assert.match(unit, new RegExp(`^RestartPreventExitStatus=${usage} ${nameInUse}$`, 'm'));
});

const skip = spawnSync('systemd-analyze', ['--version']).status !== 0 && 'no systemd-analyze';

test('systemd accepts the unit', { skip }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'shoal-unit-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'shoal.service');
  const [unit = ''] = blocks('ini');
  // Programs that aren't there would be complained of.
  writeFileSync(path, unit.replaceAll('/usr/local/bin/node', process.execPath));
  const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', path]);
  assert.deepEqual({ status, said: `${stderr}` }, { status: 0, said: '' });
});
