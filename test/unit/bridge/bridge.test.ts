// The bridge core between two brokers of ours: what crosses, in which form, and what a cut, a restart or
// a refusal of either side leaves undone. The clock is virtual.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BridgeWorld, bridgeOptions } from '../../support/bridge-world.ts';
import { type TestClient, World } from '../../support/mqtt-world.ts';

function watch(world: World): TestClient {
  const client = world.connect('watcher');
  client.subscribe([{ filter: '#', qos: 2 }]);
  return client;
}

/** Topic, payload and QoS of what has arrived. */
function arrived(client: TestClient): string[] {
  return client.messages().map(({ topic, payload, qos }) => `${topic} ${payload} ${qos}`);
}

test('a bridge of this node is no client of it, connected or not', () => {
  const options = bridgeOptions(['up/# out 1']);
  const world = BridgeWorld.connected(options);
  const device = world.near.connect('device');
  const read = (broker: World['broker']): string[] => {
    const values = new Map([...broker.sys.metrics()].map(([id, , value]) => [id, String(value)]));
    const ids = ['clientsConnected', 'clientsMaximum', 'sessions', 'sessionsDisconnected'];
    return ids.map((id) => values.get(id) ?? '-');
  };
  assert.deepEqual(read(world.near.broker), ['1', '1', '1', '0']);
  assert.equal(world.far.broker.stats.clientsConnected, 1, 'the far side has a client');
  device.leave();
  world.near.broker.endLocalSessions(new Set(), world.near.now);
  assert.deepEqual(read(world.near.broker), ['0', '1', '0', '0']);
});

for (const version of [4, 5] as const) {
  const name = version === 4 ? '3.1.1' : '5.0';

  test(`messages cross in both directions under the topics of their rules (${name})`, () => {
    const topics = ['up/# out 1', 'down/# in 1', 'x/# both 2 here/ there/'];
    const world = BridgeWorld.connected(bridgeOptions(topics, { version }));
    const far = watch(world.far);
    const near = watch(world.near);
    const device = world.near.connect('device');
    const office = world.far.connect('office');
    device.publish('up/t', 'a', { qos: 1 });
    device.publish('here/x/1', 'b', { qos: 2 });
    device.publish('other', 'c', { qos: 1 });
    office.publish('down/t', 'd', { qos: 1 });
    office.publish('there/x/2', 'e', { qos: 2 });
    world.settle();
    assert.deepEqual(arrived(far).sort(), [
      'down/t d 1',
      'there/x/1 b 2',
      'there/x/2 e 2',
      'up/t a 1',
    ]);
    assert.deepEqual(arrived(near).sort(), [
      'down/t d 1',
      'here/x/1 b 2',
      'here/x/2 e 2',
      'other c 1',
      'up/t a 1',
    ]);
    const { queued, inflight, dropped, oldestId } = world.session;
    assert.deepEqual([queued, inflight, dropped, oldestId], [0, 0, 0, 0]);
  });

  test(`a message never comes back to the side that it came from (${name})`, () => {
    const world = BridgeWorld.connected(bridgeOptions(['# both 2'], { version }));
    const far = watch(world.far);
    const near = watch(world.near);
    world.near.connect('device').publish('t', 'n', { qos: 2 });
    world.far.connect('office').publish('t', 'f', { qos: 2 });
    world.settle();
    for (const side of [far, near]) {
      assert.deepEqual(arrived(side).sort(), ['t f 2', 't n 2']);
    }
  });

  test(`what is published during a cut crosses afterwards, in order and once (${name})`, () => {
    const world = BridgeWorld.connected(bridgeOptions(['# out 2'], { version }));
    const far = watch(world.far);
    const device = world.near.connect('device');
    device.publish('t', '0', { qos: 2 });
    world.settle();
    world.cut();
    for (let i = 1; i <= 300; i++) device.publish('t', String(i), { qos: i % 2 === 0 ? 1 : 2 });
    world.advance(3_600_000);
    assert.equal(world.session.queued, 300);
    assert.deepEqual(far.payloads(), ['0']);
    world.restore();
    const payloads = far.payloads().map(Number);
    assert.deepEqual(
      payloads,
      Array.from({ length: 300 }, (_, i) => i + 1),
    );
    assert.equal(world.session.inflight + world.session.queued, 0);
  });
}

const OUT = ['# out 1'];

test('the window of the far side is kept', () => {
  const far = new World({ receiveMaximum: 3 });
  const world = new BridgeWorld(bridgeOptions(OUT), { far });
  const device = world.near.connect('device');
  for (let i = 0; i < 50; i++) device.publish('t', String(i), { qos: 1 });
  const watcher = watch(far);
  world.bridge.start(world.near.now);
  world.settle();
  assert.deepEqual(
    watcher.payloads(),
    Array.from({ length: 50 }, (_, i) => String(i)),
  );
  assert.equal(world.bridge.status.counters.connects, 1);
});

test('a message that is too large for the far side is dropped, counted and logged', () => {
  const world = BridgeWorld.connected(bridgeOptions(OUT), {
    far: new World({ packetBytesMax: 300 }),
  });
  const watcher = watch(world.far);
  const device = world.near.connect('device');
  device.publish('t', 'x'.repeat(400), { qos: 1 });
  device.publish('t', 'x'.repeat(400), { qos: 0 });
  device.publish('t', 'small', { qos: 1 });
  world.settle();
  assert.deepEqual(watcher.payloads(), ['small']);
  assert.equal(world.bridge.status.counters.unsendable, 2);
  assert.equal(world.session.inflight, 0);
  assert.match(world.lines.join('\n'), /cannot be sent.*larger than the far side takes/);
});

test('a message that this node cannot take is acknowledged, counted and never sent again', () => {
  const near = new World({ topicLevelsMax: 2 });
  const world = BridgeWorld.connected(bridgeOptions(['# in 2']), { near });
  const watcher = watch(near);
  const office = world.far.connect('office');
  for (const qos of [0, 1, 2] as const) office.publish('too/many/levels', 'x', { qos });
  office.publish('a/b', 'good', { qos: 2 });
  world.settle();
  assert.deepEqual(watcher.payloads(), ['good']);
  assert.equal(world.bridge.status.counters.refusedHere, 3);
  assert.equal(world.bridge.status.counters.connects, 1);
});

test('retained messages go to a far side without a session, and not again when it is resumed', () => {
  const world = new BridgeWorld(bridgeOptions(OUT));
  const device = world.near.connect('device');
  device.publish('state', 'on', { qos: 1, retain: true });
  world.near.broker.dropDeliveries('$bridge/test', 0, 100, world.near.now);
  const watcher = watch(world.far);
  world.bridge.start(world.near.now);
  world.settle();
  assert.deepEqual(watcher.payloads(), ['on']);
  assert.equal(world.far.broker.retainedMessage('state')?.payload.toString(), 'on');
  world.cut();
  world.restore();
  assert.deepEqual(watcher.payloads(), []);
});

test('the rate holds after an outage', () => {
  const world = new BridgeWorld(bridgeOptions(OUT, { rateMax: 100 }));
  const device = world.near.connect('device');
  for (let i = 0; i < 500; i++) device.publish('t', String(i), { qos: 1 });
  const watcher = watch(world.far);
  world.bridge.start(world.near.now);
  world.settle();
  world.advance(1000);
  const first = watcher.payloads().length;
  assert.ok(first >= 90 && first <= 120, `${first} in the first second`);
  world.advance(5000);
  assert.equal(first + watcher.payloads().length, 500);
});

test('the queue is bounded, and drops the oldest', () => {
  const world = new BridgeWorld(bridgeOptions(OUT), { queueMessagesMax: 10 });
  const device = world.near.connect('device');
  for (let i = 0; i < 25; i++) device.publish('t', String(i), { qos: 1 });
  assert.deepEqual([world.session.queued, world.session.dropped], [10, 15]);
  const watcher = watch(world.far);
  world.bridge.start(world.near.now);
  world.settle();
  assert.deepEqual(watcher.payloads()[0], '15');
});

test('QoS 0 messages wait as well where min-qos raises them', () => {
  for (const qosMin of [0, 1] as const) {
    const world = new BridgeWorld(bridgeOptions(OUT), { qosMin });
    world.near.connect('device').publish('t', 'x', { qos: 0 });
    assert.equal(world.session.queued, qosMin);
  }
});

test('the far side learns by topic alias, and gets expiry and properties', () => {
  const far = new World({ topicAliasMaximum: 2 });
  const world = BridgeWorld.connected(bridgeOptions(OUT), { far });
  const watcher = watch(far);
  const device = world.near.connect('device');
  const properties = { messageExpiryInterval: 100, contentType: 'text/plain' };
  for (const topic of ['a', 'b', 'c', 'a', 'b', 'c'])
    device.publish(topic, '1', { qos: 1, properties });
  world.settle();
  const messages = watcher.messages();
  assert.deepEqual(
    messages.map(({ topic }) => topic),
    ['a', 'b', 'c', 'a', 'b', 'c'],
  );
  for (const message of messages) {
    assert.equal(message.properties.messageExpiryInterval, 100);
    assert.equal(message.properties.contentType, 'text/plain');
  }
});

test('a connection without an answer to PINGREQ is given up', () => {
  const world = BridgeWorld.connected(bridgeOptions(OUT, { keepAliveSeconds: 10 }));
  world.advance(60_000);
  assert.equal(world.bridge.status.state, 'connected');
  world.link!.isMute = true;
  world.advance(11_000);
  assert.match(
    world.lines.join('\n'),
    /bridge lost.*nothing received for longer than the keep alive/,
  );
});

test('pauses double up to the longest, and addresses come in turn', () => {
  const host = (name: string) => ({ protocol: 'mqtt', host: name, port: 1883, path: '' }) as const;
  const addresses = [host('a'), host('b')];
  const world = new BridgeWorld(bridgeOptions(OUT, { addresses }));
  world.isFarUp = false;
  world.bridge.start(world.near.now);
  world.settle();
  const tries: string[] = [];
  for (let n = 0; n < 8; n++) {
    const pause = world.bridge.nextDeadline - world.near.now;
    tries.push(`${world.bridge.status.address.host} ${Math.round(pause / 750)}`);
    world.advance(pause);
  }
  assert.deepEqual(tries, ['b 1', 'a 2', 'b 4', 'a 8', 'b 16', 'a 32', 'b 60', 'a 60']);
});

test('what a slow far side does not take waits here, and follows in order', () => {
  const world = BridgeWorld.connected(bridgeOptions(OUT, { inflightMax: 1000 }));
  const watcher = watch(world.far);
  world.link!.congested = true;
  const device = world.near.connect('device');
  for (let i = 0; i < 50; i++) device.publish('t', String(i), { qos: 1 });
  world.settle();
  assert.equal(world.session.queued, 50);
  assert.deepEqual(watcher.payloads(), []);
  world.link!.congested = false;
  world.bridge.farDrained(world.near.now);
  world.settle();
  assert.deepEqual(
    watcher.payloads(),
    Array.from({ length: 50 }, (_, i) => String(i)),
  );
});

test('a large payload crosses whole with each QoS', () => {
  const world = BridgeWorld.connected(bridgeOptions(['# out 2']));
  const watcher = watch(world.far);
  const device = world.near.connect('device');
  const payloads = [4095, 4096, 10_000].map((bytes) => 'x'.repeat(bytes));
  for (const qos of [0, 1, 2] as const) {
    for (const payload of payloads) device.publish('t', payload, { qos });
  }
  world.settle();
  assert.deepEqual(watcher.payloads(), [...payloads, ...payloads, ...payloads]);
});

test('topics whose hashes are alike keep their own names', () => {
  const world = BridgeWorld.connected(bridgeOptions(['# out 0']));
  const watcher = watch(world.far);
  const device = world.near.connect('device');
  // The same FNV-1a hash.
  const topics = ['costarring', 'liquid', 'costarring', 'liquid'];
  for (const topic of topics) device.publish(topic, 'x');
  world.settle();
  assert.deepEqual(
    watcher.messages().map(({ topic }) => topic),
    topics,
  );
});

test('a topic that its prefix makes longer than 65,535 bytes is refused and logged, and the next message crosses', () => {
  const world = BridgeWorld.connected(bridgeOptions(['# both 1 near/ far/elsewhere/']));
  const far = watch(world.far);
  const longest = 'x'.repeat(65_535);
  const device = world.near.connect('device');
  device.publish(longest.replace('xxxxx', 'near/'), 'long', { qos: 1 });
  device.publish('near/a', 'short', { qos: 1 });
  world.settle();
  assert.deepEqual(arrived(far), ['far/elsewhere/a short 1']);
  assert.equal(world.lines.filter((line) => line.includes('cannot be sent')).length, 1);
  assert.equal(world.session.inflight, 0);
  const wide = BridgeWorld.connected(bridgeOptions(['# in 1 near/elsewhere/ far/']));
  const here = watch(wide.near);
  const office = wide.far.connect('office');
  office.publish(longest.replace('xxxx', 'far/'), 'long', { qos: 1 });
  office.publish('far/a', 'short', { qos: 1 });
  wide.settle();
  assert.deepEqual(arrived(here), ['near/elsewhere/a short 1']);
  assert.equal(wide.lines.filter((line) => line.includes('is not taken')).length, 1);
});
