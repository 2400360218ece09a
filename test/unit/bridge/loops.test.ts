// Bridges that join the same two sites more than once, in any direction: each message reaches every site
// once. The sites are brokers of ours, and the clock is virtual.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BridgeWorld, bridgeOptions } from '../../support/bridge-world.ts';
import { type TestClient, World } from '../../support/mqtt-world.ts';

function watch(world: World): TestClient {
  const client = world.connect('watcher');
  client.subscribe([{ filter: '#', qos: 2 }]);
  return client;
}

/** Starts the bridges and lets all of them work until nothing moves. */
function join(...bridges: BridgeWorld[]): () => void {
  const settle = (): void => {
    for (let turns = 0; bridges.map((one) => one.step()).includes(true); turns++) {
      assert.ok(turns < 10_000, 'no message goes round in circles');
    }
  };
  for (const { bridge, near } of bridges) bridge.start(near.now);
  settle();
  for (const { bridge, lines } of bridges) {
    assert.equal(bridge.status.state, 'connected', lines.join('\n'));
  }
  return settle;
}

/** @param name of the bridge; the client identifier at the far side follows it */
function bridgeOf(name: string, near: World, far: World, version: 4 | 5 = 5): BridgeWorld {
  const options = bridgeOptions(['# both 2'], { name, clientId: `bridge-${name}`, version });
  return new BridgeWorld(options, { near, far, session: `$bridge/${name}` });
}

/** Each side publishes with each QoS; every site gets each message once. */
function checkOnce(settle: () => void, ...sites: World[]): void {
  const watchers = sites.map(watch);
  const payloads = sites.flatMap((site, index) => {
    const device = site.connect('device');
    return ([0, 1, 2] as const).map((qos) => {
      const payload = `${index}:${qos}`;
      device.publish('t', payload, { qos });
      return payload;
    });
  });
  settle();
  for (const watcher of watchers) assert.deepEqual(watcher.payloads().sort(), payloads);
}

test('two brokers that both run a bridge to the other one', () => {
  const [a, b] = [new World(), new World()];
  const settle = join(bridgeOf('ab', a, b), bridgeOf('ba', b, a));
  checkOnce(settle, a, b);
  assert.ok(a.broker.stats.publishRepeated > 0, 'what has come back is counted');
});

test('two brokers that two bridges join', () => {
  const [a, b] = [new World(), new World()];
  checkOnce(join(bridgeOf('one', a, b), bridgeOf('two', a, b)), a, b);
});

test('two bridges name each of many messages alike, with QoS 0 and any properties', () => {
  const [a, b] = [new World(), new World()];
  const settle = join(bridgeOf('one', a, b), bridgeOf('two', a, b));
  const watcher = watch(b);
  const device = a.connect('device');
  const sent: string[] = [];
  // Beyond 36 and 1,296, where the number in the hops gets one more digit.
  for (let n = 0; n < 1_400; n++) {
    sent.push(`${n}`);
    const properties = n % 7 === 0 ? { userProperty: [['n', `${n}`]] as [string, string][] } : {};
    device.publish('t', `${n}`, { qos: n % 5 === 0 ? 1 : 0, properties });
    if (n % 50 === 0) settle();
  }
  settle();
  assert.deepEqual(watcher.payloads().sort(), sent.sort());
});

test('three brokers in a circle', () => {
  const [a, b, c] = [new World(), new World(), new World()];
  checkOnce(join(bridgeOf('ab', a, b), bridgeOf('bc', b, c), bridgeOf('ca', c, a)), a, b, c);
});

test('a bridge without MQTT 5 that connects to a node with a bridge has a line in the log', () => {
  const lines: string[] = [];
  const note = (event: string): void => {
    lines.push(event);
  };
  const log = { debug: note, info: note, warn: note, error: note };
  const near = new World({}, { log });
  const connectAsBridge = (version: 4 | 5): void => {
    const far = bridgeOf(`to-${version}`, new World(), near, version);
    join(far);
  };
  connectAsBridge(4);
  const isWarned = (): boolean =>
    lines.some((line) => line.includes('messages go round in a circle'));
  assert.ok(!isWarned(), 'without a bridge of its own there is no circle');
  bridgeOf('own', near, new World());
  connectAsBridge(5);
  assert.ok(!isWarned(), 'MQTT 5 ends circles');
  connectAsBridge(4);
  assert.ok(isWarned());
});

test('another broker between two of ours passes the hops on, and closes no circle', () => {
  const world = new World();
  world.broker.seed = 7;
  const watcher = watch(world);
  const device = world.connect('device');
  const withHops = (text: string) => ({
    userProperty: [['shoal-hops', text]] as [string, string][],
  });
  device.publish('t', 'new', { qos: 1, properties: withHops('x.1 x') });
  device.publish('t', 'the same', { qos: 1, properties: withHops('x.1 y') });
  device.publish('u', 'another topic', { qos: 1, properties: withHops('x.1 x') });
  device.publish('t', 'ours', { qos: 1, properties: withHops('x.2 x 7') });
  assert.deepEqual(watcher.payloads(), ['new', 'another topic']);
  assert.equal(world.broker.stats.publishRepeated, 2);
});
