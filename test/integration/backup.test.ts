// backup and restore of the bundle: of a node that runs and writes, and of archives that are damaged.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe } from 'node:test';
import { runCommand } from '../support/run-command.ts';
import { type Scenario, scenario } from './support/scenario.ts';

function place(scene: Scenario, name: string): string {
  return join(dirname(scene.file('unused', '')), name);
}

async function retainedOf(scene: Scenario, data: string): Promise<string[]> {
  const node = await scene.startLocal('restored', `-data=${data}`);
  const port = String(await node.process.mqttPort());
  const flags = ['sub', '-p', port, '-t', '#', '-v', '-W', '1'];
  const { out } = await runCommand(flags);
  await node.process.stop();
  return out.trimEnd().split('\n').sort();
}

describe('backup and restore', { concurrency: 2 }, () => {
  scenario(
    'a backup of a node that writes holds all that was acknowledged before',
    async (scene) => {
      const data = place(scene, 'data');
      const control = `-control=${place(scene, 'n1.sock')}`;
      // The node runs in the folder of the scenario, the command elsewhere.
      const node = await scene.startLocal('n1', '-data=data', control);
      const client = await scene.client(node);
      const publish = (topic: string): Promise<unknown> =>
        client.mqtt.publishAsync(topic, 'x'.repeat(100), { qos: 1, retain: true });
      for (let i = 0; i < 200; i++) await publish(`before/${i}`);
      let isWriting = true;
      const writing = (async () => {
        for (let i = 0; isWriting; i++) await publish(`during/${i % 500}`);
      })();
      const archive = place(scene, 'shoal.tgz');
      const backup = await runCommand(['backup', archive, control]);
      isWriting = false;
      await writing;
      assert.equal(backup.code, 0, backup.err);
      assert.equal(statSync(archive).mode & 0o777, 0o600);
      const running = await runCommand(['restore', archive, `-data=${data}`]);
      assert.equal(running.code, 5);
      assert.match(running.err, /is in use by another running Shoal/);

      const copy = place(scene, 'copy');
      const restored = await runCommand(['restore', archive, `-data=${copy}`]);
      assert.equal(restored.code, 0, restored.err);
      assert.match(restored.out, /: 0 sessions, \d+ retained messages\n$/);
      const topics = (await retainedOf(scene, copy)).map((line) => line.split(' ')[0] ?? '');
      assert.equal(topics.filter((topic) => topic.startsWith('before/')).length, 200);
    },
  );

  scenario('a restore refuses what is damaged, and a folder that holds data', async (scene) => {
    const data = place(scene, 'data');
    const node = await scene.startLocal('n1', `-data=${data}`);
    const port = String(await node.process.mqttPort());
    for (const topic of ['a', 'b', 'c']) {
      await runCommand(['pub', '-p', port, '-t', topic, '-m', topic, '-r', '-q', '1']);
    }
    await node.process.stop();
    const archive = place(scene, 'shoal.tgz');
    assert.equal((await runCommand(['backup', archive, '-data', data])).code, 0);
    const again = await runCommand(['backup', archive, '-data', data]);
    assert.deepEqual([again.code, /exists/.test(again.err)], [2, true]);

    const bytes = readFileSync(archive);
    const cut = scene.file('cut.tgz', '');
    writeFileSync(cut, bytes.subarray(0, bytes.length / 2));
    // A byte of the first block, with whole blocks behind it: no end that a power cut tore off.
    const work = place(scene, 'work');
    mkdirSync(work);
    execFileSync('tar', ['-xzf', archive], { cwd: work });
    const [log = ''] = execFileSync('ls', { cwd: work, encoding: 'utf8' }).split('\n');
    const content = readFileSync(join(work, log));
    content[70] = (content[70] ?? 0) ^ 1;
    writeFileSync(join(work, log), content);
    const damaged = place(scene, 'damaged.tgz');
    execFileSync('tar', ['--format=ustar', '-czf', damaged, log], { cwd: work });
    const stranger = place(scene, 'stranger.tgz');
    execFileSync('tar', ['--format=ustar', '-czf', stranger, 'token'], {
      cwd: dirname(scene.file('token', 'secret')),
    });
    const copy = place(scene, 'copy');
    for (const [file, problem] of [
      [cut, /damaged/],
      [damaged, new RegExp(`is damaged: ${log}: data file damaged`)],
      [stranger, /is not a Shoal backup/],
    ] as const) {
      const refused = await runCommand(['restore', file, `-data=${copy}`]);
      assert.equal(refused.code, 1, refused.err);
      assert.match(refused.err, problem);
      assert.equal(existsSync(copy), false, 'a folder that was not there before');
    }
    assert.equal((await runCommand(['restore', archive, `-data=${copy}`])).code, 0);
    assert.deepEqual(await retainedOf(scene, copy), ['a a', 'b b', 'c c']);
    const full = await runCommand(['restore', archive, `-data=${copy}`]);
    assert.deepEqual([full.code, /holds data already/.test(full.err)], [5, true]);
  });
});
