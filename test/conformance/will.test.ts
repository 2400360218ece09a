// Wills: when they are published, when not, and with which QoS, flags and properties (MQTT 5.0 3.1.2.5, 3.1.3.2; MQTT
// 3.1.1 3.1.2.5).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eachVersion, type TestClient, World } from '../support/mqtt-world.ts';
import * as wire from '../support/wire.ts';

const SECOND = 1000;
const WILL = { topic: 'w', payload: 'will' };

function watch(world: World): TestClient {
  const watcher = world.connect('watcher');
  watcher.subscribe(['w']);
  return watcher;
}

eachVersion(
  '[MQTT3-3.1.2-8] [MQTT5-3.1.2-7] [MQTT5-3.1.2-8] a will is published once when the network fails',
  (version) => {
    const world = new World();
    const watcher = watch(world);
    const client = world.connect('a', { version, will: WILL });
    watcher.expectNothing();
    client.lose();
    assert.deepEqual(watcher.payloads(), ['will']);
    world.connect('a', { version }).lose();
    world.advance(100 * SECOND);
    watcher.expectNothing();
  },
);

eachVersion('a will is published when the Keep Alive expires', (version) => {
  const world = new World();
  const watcher = watch(world);
  world.connect('a', { version, will: WILL, keepAlive: 2 });
  world.advance(2.9 * SECOND);
  watcher.expectNothing();
  world.advance(0.2 * SECOND);
  assert.deepEqual(watcher.payloads(), ['will']);
});

eachVersion('a will is published when the client breaks the protocol', (version) => {
  const world = new World();
  const watcher = watch(world);
  world.connect('a', { version, will: WILL }).send(wire.packet(0x36, wire.text('t')));
  assert.deepEqual(watcher.payloads(), ['will']);
});

eachVersion('a will is published when another connection takes over', (version) => {
  const world = new World();
  const watcher = watch(world);
  world.connect('a', { version, will: WILL });
  world.connect('a', { version });
  assert.deepEqual(watcher.payloads(), ['will']);
});

eachVersion(
  '[MQTT3-3.1.2-10] [MQTT3-3.14.4-3] [MQTT5-3.1.2-10] [MQTT5-3.14.4-3] DISCONNECT removes the will',
  (version) => {
    const world = new World();
    const watcher = watch(world);
    world.connect('a', { version, will: WILL }).leave();
    world.advance(100 * SECOND);
    world.connect('a', { version }).lose();
    watcher.expectNothing();
  },
);

test('DISCONNECT with reason 0x04, or any other than 0x00, publishes the will', () => {
  for (const reason of [0x04, 0x80, 0x82]) {
    const world = new World();
    const watcher = watch(world);
    world.connect('a', { will: WILL }).leave(reason);
    assert.deepEqual(watcher.payloads(), ['will']);
  }
});

eachVersion(
  '[MQTT3-3.1.2-12] [MQTT5-3.1.2-10] without a will nothing is published, even if an earlier connection had one',
  (version) => {
    const world = new World();
    const watcher = world.connect('watcher');
    watcher.subscribe(['#']);
    world.connect('a', { version, will: WILL }).leave();
    world.connect('a', { version }).lose();
    world.advance(100 * SECOND);
    watcher.expectNothing();
  },
);

eachVersion(
  '[MQTT3-3.1.2-9] [MQTT3-3.1.2-16] [MQTT3-3.1.2-17] [MQTT5-3.1.2-9] [MQTT5-3.1.2-14] [MQTT5-3.1.2-15] a will has the QoS and the retain flag of its CONNECT',
  (version) => {
    for (const retain of [false, true]) {
      for (const qos of [0, 1, 2]) {
        const world = new World();
        const watcher = watch(world);
        world.connect('a', { version, will: { ...WILL, qos, retain } }).lose();
        const [message] = watcher.messages();
        assert.equal(message?.qos, qos);
        assert.equal(message.retain, false);
        const late = world.connect('late');
        late.subscribe(['w']);
        assert.deepEqual(late.payloads(), retain ? ['will'] : []);
      }
    }
  },
);

test('[MQTT5-3.1.3-10] a will is published with its properties, user properties in order', () => {
  const world = new World();
  const watcher = watch(world);
  const properties: wire.Properties = {
    payloadFormatIndicator: 1,
    messageExpiryInterval: 30,
    contentType: 'text/plain',
    responseTopic: 'answers',
    correlationData: Buffer.from([1, 2, 3]),
    userProperty: [
      ['b', '1'],
      ['a', '2'],
      ['b', '3'],
    ],
  };
  const will = { ...WILL, properties: { ...properties, willDelayInterval: 0 } };
  world.connect('a', { will }).lose();
  assert.deepEqual(watcher.messages()[0]?.properties, properties);
});

function delayed(seconds: number): wire.WillFields {
  return { ...WILL, properties: { willDelayInterval: seconds } };
}

test('[MQTT5-3.1.2-8] a will is published after its delay, to the second', () => {
  const world = new World();
  const watcher = watch(world);
  world.connect('a', { will: delayed(10), properties: { sessionExpiryInterval: 100 } }).lose();
  world.advance(9.9 * SECOND);
  watcher.expectNothing();
  world.advance(1.1 * SECOND);
  assert.deepEqual(watcher.payloads(), ['will']);
});

test('a will is published when the session ends before its delay', () => {
  const world = new World();
  const watcher = watch(world);
  world.connect('a', { will: delayed(100), properties: { sessionExpiryInterval: 10 } }).lose();
  world.advance(9.9 * SECOND);
  watcher.expectNothing();
  world.advance(1.1 * SECOND);
  assert.deepEqual(watcher.payloads(), ['will']);
  world.connect('b', { will: delayed(100) }).lose();
  assert.deepEqual(watcher.payloads(), ['will'], 'a session of its connection ends at once');
});

test('[MQTT5-3.1.3-9] a client that resumes its session within the delay cancels its will', () => {
  const world = new World();
  const watcher = watch(world);
  const properties = { sessionExpiryInterval: 100 };
  world.connect('a', { will: delayed(10), properties }).lose();
  world.advance(5 * SECOND);
  const back = world.connect('a', { clean: false, properties });
  world.advance(50 * SECOND);
  back.lose();
  world.advance(50 * SECOND);
  watcher.expectNothing();
});

test('[MQTT5-3.1.3-9] a takeover within the delay cancels the will', () => {
  const world = new World();
  const watcher = watch(world);
  const properties = { sessionExpiryInterval: 100 };
  world.connect('a', { will: delayed(10), properties });
  world.connect('a', { clean: false, properties });
  world.advance(50 * SECOND);
  watcher.expectNothing();
});

test('a clean start ends the session and so publishes a delayed will', () => {
  const world = new World();
  const watcher = watch(world);
  const properties = { sessionExpiryInterval: 100 };
  world.connect('a', { will: delayed(10), properties }).lose();
  world.connect('a', { clean: true });
  assert.deepEqual(watcher.payloads(), ['will']);
  world.advance(50 * SECOND);
  watcher.expectNothing();
});

test('[MQTT5-3.2.2-12] a will above the maximum QoS is refused', () => {
  const client = new World({ maximumQos: 1 }).open();
  client.connect({ clientId: 'a', will: { ...WILL, qos: 2 } });
  client.expectRefused(0x9b);
});

test('[MQTT5-3.2.2-13] a retained will is refused if retain is not available', () => {
  const client = new World({ retainAvailable: false }).open();
  client.connect({ clientId: 'a', will: { ...WILL, retain: true } });
  client.expectRefused(0x9a);
});

eachVersion('a will topic with a wildcard is refused', (version) => {
  for (const topic of ['w/#', 'w/+', '']) {
    const client = new World().open(version);
    client.connect({ clientId: 'a', will: { ...WILL, topic } });
    assert.ok(client.closed);
    client.expectRefused();
  }
});

test('[MQTT5-3.3.2-14] a will with a response topic that is no topic name is refused', () => {
  for (const responseTopic of ['a/#', '+', '']) {
    const client = new World().open();
    client.connect({ clientId: 'a', will: { ...WILL, properties: { responseTopic } } });
    client.expectRefused(0x82);
  }
});

eachVersion('a will payload of any bytes is published unchanged', (version) => {
  const world = new World();
  const watcher = watch(world);
  const payload = Buffer.from([0, 255, 254, 0xed, 0xa0, 0x80]);
  world.connect('a', { version, will: { ...WILL, payload } }).lose();
  assert.deepEqual(watcher.messages()[0]?.bytes.subarray(-payload.length), payload);
});

eachVersion('a will to a $ topic is not delivered', (version) => {
  const world = new World();
  const watcher = world.connect('watcher');
  watcher.subscribe(['$SYS/fake']);
  const client = world.open(version);
  client.connect({ clientId: 'a', will: { ...WILL, topic: '$SYS/fake' } });
  if (!client.closed) client.lose();
  watcher.expectNothing();
});

eachVersion(
  '[MQTT3-3.2.2-6] a will whose topic is not valid or exceeds the limits is refused at once',
  (version) => {
    const world = new World({ topicLevelsMax: 4, topicBytesMax: 20 });
    const watcher = world.connect('watcher');
    watcher.subscribe(['#']);
    for (const topic of ['a/b/c/d/e', 'x'.repeat(21), '/'.repeat(60_000), 'a/+', '#', '']) {
      const client = world.open(version);
      client.connect({ clientId: 'a', will: { topic, payload: 'will' } });
      if (version === 5 && client.inbox.length === 0) client.expectRefused();
      else assert.equal(client.closed, true, topic);
      if (version < 5) assert.equal(client.inbox.length, 0, 'no return code fits: no CONNACK');
      assert.equal(world.broker.isConnected('a'), false);
    }
    watcher.expectNothing();
    const levels = world.open(version);
    levels.connect({ clientId: 'a', will: { topic: 'a/b/c/d/e' } });
    if (version === 5) levels.expectRefused(0x90);
    world.connect('a', { version, will: { topic: 'a/b/c/d' } }).lose();
    assert.equal(watcher.messages()[0]?.topic, 'a/b/c/d');
  },
);
