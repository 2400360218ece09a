// Options change while a node runs.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe } from 'node:test';
import { runCommand } from '../support/run-command.ts';
import { type Node, scenario } from './support/scenario.ts';

async function set({ control }: Node, ...args: string[]) {
  return runCommand(['config', 'set', ...args, `-control=${control}`]);
}

describe('shoal config set', { concurrency: 2 }, () => {
  scenario('counts at once, is kept by the file, and survives SIGHUP', async (scene) => {
    const file = scene.file('shoal.toml', 'max-qos = 2 # all\n');
    const node = await scene.startLocal('n1', `-config=${file}`);
    const done = await set(node, 'max-qos', '1');
    assert.match(done.out, /^n1: -max-qos is 1 now, was 2, written to .*shoal\.toml \(before: /);
    assert.equal(readFileSync(file, 'utf8'), 'max-qos = 1 # all\n');
    const client = await scene.client(node, { protocolVersion: 5 });
    assert.equal(client.mqtt.connected, true);
    const run = await set(node, 'log-level', 'debug');
    assert.equal(run.code, 0, run.err);
    node.process.signal('SIGHUP');
    await node.process.waitFor(/event="configuration reloaded"/);
    const shown = await runCommand(['config', 'show', '-running', `-control=${node.control}`]);
    assert.match(shown.out, /^max-qos +1 +file .*shoal\.toml:1$/m);
    assert.match(shown.out, /^log-level +debug +file .*shoal\.toml:2$/m);
    const refused = await set(node, 'max-qos', '3');
    assert.equal(refused.code, 1);
    assert.match(refused.err, /Nothing has changed: bad value '3' for -max-qos/);
  });

  scenario('reaches all nodes with -all', async (scene) => {
    const nodes = await scene.localCluster(2);
    const [n1] = nodes;
    assert.ok(n1);
    const { out, err } = await set(n1, 'client-message-rate', '50', '-all');
    assert.match(
      out,
      /^n1: -client-message-rate is 50 now.*\n.*\nn2: -client-message-rate is 50/,
      err,
    );
    for (const { process } of nodes) {
      await process.waitFor(/event="option changed" option=-client-message-rate from=\S+ to=50/);
    }
  });
});
