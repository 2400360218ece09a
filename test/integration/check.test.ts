// `shoal check` of the bundle beside a node that runs, as a reload does it, and on a full disk.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { runToEnd } from '../support/programs.ts';
import { runCommand } from '../support/run-command.ts';
import { BUNDLE, NODE } from '../support/shoal-process.ts';
import { startManaged, temporaryFolder } from './support/managed-node.ts';

const timeout = 120_000;
const TOKEN = '-csk=4hxkwzq8jvtm3n6ybdfrpcsag7';

test('check beside its own running node reports neither the ports nor the folder', {
  timeout,
}, async (t) => {
  const { shoal, url, socket, folder } = await startManaged(t, ['-data=data', TOKEN]);
  const gossip = (await shoal.gossipAddress()).split(':').at(-1);
  const ports = [
    `-port=${await shoal.mqttPort()}`,
    `-http=${new URL(url).port}`,
    `-crp=${gossip}`,
    `-csp=${await shoal.syncPort()}`,
  ];
  const flags = ['check', '-anonymous', '-nid=box1', '-bind=127.0.0.1', TOKEN, ...ports];
  const data = `-data=${join(folder, 'data')}`;
  const own = await runCommand([...flags, data, `-control=${socket}`]);
  assert.deepEqual([own.code, own.out], [0, 'configuration ok\n'], own.err);
  const other = await runCommand([...flags, data, `-control=${join(folder, 'other.sock')}`]);
  assert.equal(other.code, 5);
  assert.match(other.err, /data is in use by another running Shoal/);
  for (const flag of ['-port', '-http', '-crp', '-csp']) {
    assert.match(other.err, new RegExp(`is in use by .*; choose another port with ${flag}\n`));
  }
});

const skip = process.getuid?.() !== 0 && 'only root may mount a small disk';

test('check warns of a full disk in the words of the log', { timeout, skip }, async (t) => {
  const folder = temporaryFolder(t);
  const mount = `mount -t tmpfs -o size=64k none ${folder}; mkdir ${folder}/data; cat /dev/zero > ${folder}/fill; exec "$@"`;
  const check = [NODE, BUNDLE, 'check', '-anonymous', '-port=0', '-http=off'];
  for (const data of ['data', 'new']) {
    const shell = ['-m', 'sh', '-c', mount, 'sh', ...check, `-data=${join(folder, data)}`];
    const { code, output } = await runToEnd('unshare', ...shell);
    assert.equal(code, 0, output);
    assert.match(
      output,
      /-data=.*: changes cannot be written: publishers are refused or wait: the disk is full\n/,
    );
  }
});
