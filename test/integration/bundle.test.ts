// A short life of the bundle under the Node that SHOAL_NODE names: CI runs it on each release.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import mqtt from 'mqtt';
import { loopbackFlags, ShoalProcess } from '../support/shoal-process.ts';

test('two nodes find each other, a message crosses, both end well', async () => {
  const first = new ShoalProcess(loopbackFlags('n1', '-csk=secret'));
  const second = new ShoalProcess(
    loopbackFlags('n2', '-csk=secret', `-mbs=${await first.gossipAddress()}`),
  );
  try {
    await Promise.all([
      first.waitFor(/cluster online.*\bn2\b/),
      second.waitFor(/cluster online.*\bn1\b/),
    ]);
    const url = async (node: ShoalProcess) => `mqtt://127.0.0.1:${await node.mqttPort()}`;
    const subscriber = await mqtt.connectAsync(await url(first));
    const publisher = await mqtt.connectAsync(await url(second), { protocolVersion: 5 });
    await subscriber.subscribeAsync('a/#', { qos: 1 });
    const arrived = new Promise<string>((resolve) => {
      subscriber.on('message', (topic, payload) => resolve(`${topic} ${payload}`));
    });
    await publisher.publishAsync('a/b', 'hello', { qos: 1 });
    assert.equal(await arrived, 'a/b hello');
    await Promise.all([subscriber.endAsync(), publisher.endAsync()]);
    assert.deepEqual(await second.stop(), { code: 0, signal: null });
    assert.deepEqual(await first.stop(), { code: 0, signal: null });
  } finally {
    await Promise.all([first.kill(), second.kill()]);
  }
});
