import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ListenerRates } from '../../../src/broker/rate-limits.ts';
import type { ListenerRateConfig } from '../../../src/shared/listener-config.ts';
import { type LogFields, silentLogger } from '../../../src/shared/logger.ts';
import { type TestClient, World } from '../../support/mqtt-world.ts';
import * as wire from '../../support/wire.ts';

const NO_RATES: ListenerRateConfig = {
  clientMessages: Number.POSITIVE_INFINITY,
  clientBytes: Number.POSITIVE_INFINITY,
  listenerMessages: Number.POSITIVE_INFINITY,
  listenerBytes: Number.POSITIVE_INFINITY,
  burstSeconds: 1,
};

function limitedWorld(settings: Partial<ListenerRateConfig>) {
  const lines: string[] = [];
  const note = (event: string, fields: LogFields = {}): void => {
    lines.push(`${event} ${fields.client ?? ''}`);
  };
  const world = new World({}, { log: { ...silentLogger, warn: note, info: note } });
  const rates = new ListenerRates();
  rates.configure({ ...NO_RATES, ...settings });
  world.listener = { name: 'tcp', rates };
  const slowed = () => lines.filter((line) => line.includes('slowed'));
  return { world, rates, slowed };
}

function messagesOf(client: TestClient): number {
  const count = client.inbox.filter(({ type }) => type === 'publish').length;
  client.inbox.length = 0;
  return count;
}

function publishes(count: number, payload = 'x'): Buffer {
  return Buffer.concat(
    Array.from({ length: count }, () => wire.publish(5, { topic: 't', payload })),
  );
}

/** A subscriber to `t`, without its SUBACK in the inbox. */
function subscriberIn(world: World): TestClient {
  const subscriber = world.connect('subscriber');
  subscriber.subscribe('t');
  return subscriber;
}

test('a client over its message rate is read more slowly, and loses nothing', () => {
  const { world } = limitedWorld({ clientMessages: 10 });
  const subscriber = subscriberIn(world);
  const flooder = world.connect('flooder');
  flooder.send(publishes(50));
  // The burst, and the one that it ends with.
  assert.equal(messagesOf(subscriber), 11);
  assert.ok(flooder.isPaused);
  world.advance(1000);
  assert.equal(messagesOf(subscriber), 10);
  world.advance(10_000);
  assert.equal(messagesOf(subscriber), 29);
  assert.ok(!flooder.isPaused);
  assert.ok(!flooder.closed);
});

test('bytes count whatever the packet is, and a large packet delays the next one', () => {
  const { world } = limitedWorld({ clientBytes: 1000 });
  const subscriber = subscriberIn(world);
  const client = world.connect('client');
  client.send(publishes(1, 'x'.repeat(5000)), publishes(1));
  assert.equal(messagesOf(subscriber), 1);
  world.advance(3900);
  assert.equal(messagesOf(subscriber), 0);
  world.advance(200);
  assert.equal(messagesOf(subscriber), 1);
});

test('acknowledgements do not count as messages', () => {
  const { world } = limitedWorld({ clientMessages: 1 });
  const client = world.connect('client');
  client.send(...Array.from({ length: 20 }, () => wire.PINGREQ));
  assert.equal(client.inbox.filter(({ type }) => type === 'pingresp').length, 20);
});

test("clients take turns at a listener's rate: a flood delays another client by one message", () => {
  const { world } = limitedWorld({ listenerMessages: 10 });
  const subscriber = subscriberIn(world);
  const flooder = world.connect('flooder');
  const other = world.connect('other');
  flooder.send(publishes(500));
  messagesOf(subscriber);
  other.send(wire.publish(5, { topic: 't', payload: 'other' }));
  world.advance(300);
  const payloads = subscriber.inbox.map((packet) => String(packet.payload));
  assert.ok(payloads.includes('other'), payloads.join());
  assert.ok(payloads.length <= 4, `${payloads.length} messages in 300 ms at 10 a second`);
});

test('a reload changes the rate of connected clients, also to none', () => {
  const { world, rates } = limitedWorld({});
  const subscriber = subscriberIn(world);
  const client = world.connect('client');
  client.send(publishes(20));
  assert.equal(messagesOf(subscriber), 20);
  rates.configure({ ...NO_RATES, clientMessages: 5 });
  client.send(publishes(20));
  assert.equal(messagesOf(subscriber), 6);
  rates.configure(NO_RATES);
  world.advance(1000);
  assert.equal(messagesOf(subscriber), 14);
});

test('a slowed client has one line when that begins and one when it is over', () => {
  const { world, slowed } = limitedWorld({ clientMessages: 10 });
  const client = world.connect('client');
  client.send(publishes(100));
  assert.equal(slowed().length, 1);
  world.advance(10_000);
  assert.equal(slowed().length, 1);
  assert.equal(world.broker.context.slowed.count, 1);
  world.advance(20_000);
  assert.deepEqual(slowed(), [
    'client slowed: it sends faster than its rate or its listener allows client',
    'client no longer slowed client',
  ]);
  assert.equal(world.broker.context.slowed.count, 0);
});

test('a slowed client that disconnects leaves nothing behind', () => {
  const { world } = limitedWorld({ clientMessages: 1 });
  const client = world.connect('client');
  client.send(publishes(100));
  client.lose();
  world.advance(60_000);
  assert.equal(world.broker.context.slowed.count, 0);
  assert.equal(world.broker.sessionCount, 0);
});

test('a listener has a highest QoS of its own, which CONNACK announces', () => {
  const { world } = limitedWorld({});
  world.listener = { name: 'tcp', maximumQos: 0 };
  const client = world.connect('client');
  assert.equal(client.connack.properties.maximumQoS, 0);
  client.send(wire.publish(5, { topic: 't', payload: 'x', qos: 1, id: 1 }));
  assert.ok(client.closed);
});
