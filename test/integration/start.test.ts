// What happens before the node runs: the earliest signal, and a Node that is too old.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { loopbackFlags, ShoalProcess } from '../support/shoal-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'shoal-start-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** @param preload runs before the bundle does */
function launch(t: TestContext, name: string, preload: string): ShoalProcess {
  const path = join(folder, `${name}.cjs`);
  writeFileSync(path, preload);
  const env = { NODE_OPTIONS: `--require=${path}` };
  const shoal = new ShoalProcess(loopbackFlags('n1'), { cwd: folder, env });
  t.after(() => shoal.kill());
  return shoal;
}

test('a SIGHUP that comes with the first module that is loaded does not end the node', async (t) => {
  const shoal = launch(
    t,
    'hangup',
    `const modules = require('node:module');
     const load = modules._load;
     modules._load = (name, ...others) => {
       if (name.startsWith('node:')) {
         modules._load = load;
         process.kill(process.pid, 'SIGHUP');
       }
       return load(name, ...others);
     };`,
  );
  await shoal.mqttPort();
  assert.deepEqual(await shoal.stop(), { code: 0, signal: null });
});

test('a Node that is too old ends it with 2: no unit starts it again', async (t) => {
  const preload = "Object.defineProperty(process.versions, 'node', { value: '18.19.0' });";
  const shoal = launch(t, 'old', preload);
  assert.equal((await shoal.exited).code, 2);
  assert.match(shoal.output, /^shoal: Node 20\.12 or newer is needed; this is 18\.19\.0: /);
});
