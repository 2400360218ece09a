// A short life of the bundle under the Node, or other runtime, that SHOAL_NODE names. CI runs it on each
// release that is supported, and on Bun and Deno.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import mqtt from 'mqtt';
import { loopbackFlags, ShoalProcess } from '../support/shoal-process.ts';

const MESSAGES = 20;
/** Three datagrams on the sync channel. */
const PAYLOAD_BYTES = 3000;

test('two nodes find each other, a burst of messages crosses, both end well', async () => {
  const first = new ShoalProcess(loopbackFlags('n1', '-csk=secret', '-ws=0'));
  const second = new ShoalProcess(
    loopbackFlags('n2', '-csk=secret', `-mbs=${await first.gossipAddress()}`),
  );
  try {
    await Promise.all([
      first.waitFor(/cluster online.*\bn2\b/),
      second.waitFor(/cluster online.*\bn1\b/),
    ]);
    const webSocketUrl = `ws://127.0.0.1:${await first.mqttPort('ws')}/mqtt`;
    const subscriber = await mqtt.connectAsync(webSocketUrl);
    const url = `mqtt://127.0.0.1:${await second.mqttPort()}`;
    const publisher = await mqtt.connectAsync(url, { protocolVersion: 5 });
    await subscriber.subscribeAsync('a/#', { qos: 1 });

    const received: string[] = [];
    const arrived = new Promise<void>((resolve) => {
      subscriber.on('message', (topic, payload) => {
        assert.equal(payload.length, PAYLOAD_BYTES);
        received.push(topic);
        if (received.length === MESSAGES) resolve();
      });
    });
    const topics = Array.from({ length: MESSAGES }, (_, i) => `a/${i}`);
    const payload = Buffer.alloc(PAYLOAD_BYTES);
    await Promise.all(topics.map((topic) => publisher.publishAsync(topic, payload, { qos: 1 })));
    await arrived;
    assert.deepEqual(received, topics);

    await Promise.all([subscriber.endAsync(), publisher.endAsync()]);
    assert.deepEqual(await second.stop(), { code: 0, signal: null });
    assert.deepEqual(await first.stop(), { code: 0, signal: null });
  } finally {
    await Promise.all([first.kill(), second.kill()]);
  }
});
