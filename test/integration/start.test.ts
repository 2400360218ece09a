// The time before the node runs: an early signal, and a Node release that is too old.

import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { BUNDLE, loopbackFlags, ShoalProcess } from '../support/shoal-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'shoal-start-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/**
 * @param preload runs before the file does
 * @param fileName its ending decides the module system
 */
function launch(t: TestContext, preload: string, fileName = 'shoal.cjs'): ShoalProcess {
  const preloadPath = join(folder, `${fileName}.preload.cjs`);
  const bundle = join(folder, fileName);
  writeFileSync(preloadPath, preload);
  copyFileSync(BUNDLE, bundle);
  const env = { NODE_OPTIONS: `--require=${preloadPath}` };
  const shoal = new ShoalProcess(loopbackFlags('n1'), { bundle, cwd: folder, env });
  t.after(() => shoal.kill());
  return shoal;
}

for (const [fileName, signal] of [
  ['shoal.cjs', 'SIGHUP'],
  ['shoal.mjs', 'SIGHUP'],
  ['shoal.cjs', 'SIGUSR1'],
  ['shoal.mjs', 'SIGUSR1'],
] as const) {
  test(`a ${signal} while ${fileName} loads its first module has no effect`, async (t) => {
    const shoal = launch(
      t,
      `const modules = require('node:module');
       let isSent = false;
       for (const [holder, method] of [[modules, '_load'], [process, 'getBuiltinModule']]) {
         const load = holder[method];
         holder[method] = (name, ...rest) => {
           if (!isSent && name.startsWith('node:')) {
             isSent = true;
             console.error('preload: ${signal}');
             process.kill(process.pid, '${signal}');
           }
           return load(name, ...rest);
         };
       }`,
      fileName,
    );
    await shoal.mqttPort();
    assert.deepEqual(await shoal.stop(), { code: 0, signal: null });
    assert.match(shoal.output, new RegExp(`^preload: ${signal}$`, 'm'));
    assert.doesNotMatch(shoal.output, /Debugger/);
  });
}

test('a Node that is too old ends it with 2, so that no service manager starts it again', async (t) => {
  const preload = "Object.defineProperty(process.versions, 'node', { value: '18.19.0' });";
  const shoal = launch(t, preload);
  assert.equal((await shoal.exited).code, 2);
  assert.match(shoal.output, /^shoal: Node 20\.12 or newer is required, and this is 18\.19\.0; /);
});

test('SIGTERM while a node waits for the others ends it at once, and MQTT never opens', async (t) => {
  const shoal = new ShoalProcess(loopbackFlags('n1', '-csk=secret', '-mbs=127.0.0.1:9'));
  t.after(() => shoal.kill());
  await shoal.waitFor(/waiting for the other nodes before MQTT opens/);
  const signalledMs = performance.now();
  assert.deepEqual(await shoal.stop(), { code: 0, signal: null }, shoal.output);
  const ms = performance.now() - signalledMs;
  assert.match(shoal.output, /stopping.*\n(.*\n)*.*stopped\n$/);
  assert.doesNotMatch(shoal.output, /Shoal v\S+ tcp|MQTT opens although/);
  t.diagnostic(`${Math.round(ms)} ms`);
});
