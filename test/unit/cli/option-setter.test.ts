import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { prepareSetting } from '../../../src/cli/option-setter.ts';
import { type Host, type Load, loadConfig } from '../../../src/config/load.ts';

const TOML = '# box 1\nlog-level = "info" # quiet\n';

/** A node that was started with these flags, and perhaps with a file. */
function nodeWith(t: TestContext, flags: Record<string, string>, toml?: string) {
  const folder = mkdtempSync(join(tmpdir(), 'shoal-set-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'shoal.toml');
  if (toml !== undefined) writeFileSync(path, toml);
  const readFile = (file: string): string => readFileSync(file, 'utf8');
  const host: Host = { environment: { SHOAL_PROFILE: 'lan' }, hostName: 'box1', readFile };
  const all = { ...flags, ...(toml !== undefined && { config: path }) };
  const load: Load = (changes) => loadConfig(all, host, changes);
  const set = (flag: string, value: string, ofRun: Record<string, string> = {}) =>
    prepareSetting({ flag, value }, load({ set: ofRun }), ofRun, load, readFile);
  return { path, set };
}

test('an option is written into the file, with its comment, and the file before is kept', async (t) => {
  const { path, set } = nodeWith(t, {}, TOML);
  const { next, isInForce, file, backup } = await set('log-level', 'debug');
  assert.equal(next.config.logLevel, 'debug');
  assert.deepEqual([isInForce, file, backup], [true, path, `${path}.bak`]);
  assert.equal(readFileSync(path, 'utf8'), '# box 1\nlog-level = "debug" # quiet\n');
  assert.equal(readFileSync(`${path}.bak`, 'utf8'), TOML);
});

test('an option that needs a restart is written, and the answer says so', async (t) => {
  const { set } = nodeWith(t, {}, TOML);
  const { isInForce, notes } = await set('crp', '7950');
  assert.equal(isInForce, false);
  assert.match(notes.join(), /-crp changes when the node starts again/);
});

test('a flag comes before the file: the value lasts until a restart, and the answer says why', async (t) => {
  const { path, set } = nodeWith(t, { 'log-level': 'warn' }, TOML);
  const { next, file, notes, set: ofRun } = await set('log-level', 'debug');
  assert.equal(next.config.logLevel, 'debug');
  assert.equal(next.origins.logLevel.source, 'set');
  assert.equal(file, null);
  assert.match(notes.join(), /lasts until a restart: -log-level gives the value at the start/);
  assert.equal(readFileSync(path, 'utf8'), TOML);
  assert.match((await set('log-level', 'info', { ...ofRun })).notes.join(), /-log-level gives/);
  await assert.rejects(set('profile', 'wan'), /-profile can't change .* comes from SHOAL_PROFILE/);
});

test('without a file a value lasts until a restart, or is refused if it needs one', async (t) => {
  const { set } = nodeWith(t, {});
  const { file, notes, isInForce } = await set('max-qos', '1');
  assert.deepEqual([file, isInForce], [null, true]);
  assert.match(notes.join(), /to keep it, start with -max-qos=1/);
  await assert.rejects(set('crp', '7950'), /no file of -config keeps it: start the node with/);
});

test('what would keep the node from starting is refused, and the file stays', async (t) => {
  const { path, set } = nodeWith(t, {}, TOML);
  const wrong: [string, string, RegExp][] = [
    ['log-level', 'loud', /bad value 'loud' for -log-level: expected one of/],
    ['log-levl', 'debug', /no option 'log-levl'; did you mean 'log-level'/],
    ['acl', '/nowhere/acl', /\/nowhere\/acl: there is no such file/],
    ['tls', '8883', /-cert/],
    ['csk', 'secret', /shoal token rotate/],
    ['constructor', 'x', /no option 'constructor'/],
  ];
  for (const [flag, value, reason] of wrong) await assert.rejects(set(flag, value), reason);
  assert.equal(readFileSync(path, 'utf8'), TOML);
});
