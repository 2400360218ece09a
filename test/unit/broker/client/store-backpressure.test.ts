// While the disk takes no changes clients can do everything that the store does not have to record.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { MemoryDisk } from '../../../support/memory-disk.ts';
import type { TestClient } from '../../../support/mqtt-world.ts';
import {
  FOR_EVER,
  publish,
  StoredBroker,
  subscriber,
  typesOf,
} from '../../../support/stored-broker.ts';
import * as wire from '../../../support/wire.ts';

const SYS = '$SYS/broker/storage/accepting';

/** Fills the disk: no further change is written. */
async function fill({ disk, journal, world }: StoredBroker): Promise<void> {
  disk.capacityBytes = disk.usedBytes + 5;
  world.connect('filler', FOR_EVER);
  await new Promise<void>((full) => {
    const isFull = (): void => full();
    if (journal.whenDurable(isFull, isFull) !== 'pending') full();
  });
  assert.equal(journal.accepting, false);
}

function makeRoom(disk: MemoryDisk): void {
  disk.capacityBytes = Number.POSITIVE_INFINITY;
}

test('on a full disk a clean session can subscribe and unsubscribe', async () => {
  const stored = await StoredBroker.start();
  await fill(stored);
  for (const version of [4, 5] as const) {
    const client = stored.world.connect(`clean-${version}`, { version });
    assert.deepEqual(client.subscribe([{ filter: 't', qos: 2 }]).reasons, [2]);
    client.send(wire.publish(version, { topic: 't', payload: 'x' }));
    assert.equal(client.expect('publish').payload, 'x');
    client.unsubscribe('t');
    client.expectNothing();
  }
});

test('on a full disk every client can read $SYS', async () => {
  const stored = await StoredBroker.start({ broker: { sysIntervalSeconds: 10 } });
  await fill(stored);
  stored.world.broker.sys.addSource('storage', () => stored.journal.metrics());
  for (const fields of [FOR_EVER, { version: 4, clean: false }, { version: 4 }] as const) {
    const client = stored.world.connect('reader', fields);
    assert.deepEqual(client.subscribe(SYS).reasons, [2]);
    stored.world.advance(10_000);
    assert.equal(client.expect('publish').payload, '0');
  }
});

test('on a full disk a persistent session is granted the subscriptions that it has, and no others', async () => {
  const stored = await StoredBroker.start();
  const { world, lines } = stored;
  const first = world.connect('kept', FOR_EVER);
  first.send(wire.subscribe(5, 1, [{ filter: 'a', qos: 1 }, 'b'], { subscriptionIdentifier: 7 }));
  await stored.until(() => typesOf(first).includes('suback'));
  first.lose();
  const pub = world.connect('pub');
  pub.send(wire.publish(5, { topic: 'a', payload: 'waits', qos: 1, id: 1 }));
  await stored.safe();
  await fill(stored);
  const back = world.connect('kept', FOR_EVER);
  assert.equal(back.expect('publish').payload, 'waits');
  const again = { subscriptionIdentifier: 7 };
  const written = stored.journal.metrics().waitingBytes;
  const same = back.subscribe([{ filter: 'a', qos: 1 }, 'b'], again);
  assert.deepEqual(same.reasons, [1, 2]);
  assert.equal(stored.journal.metrics().waitingBytes, written);
  const others: wire.SubscriptionFields[] = [
    { filter: 'a', qos: 2 },
    { filter: 'a', qos: 1, noLocal: true },
    { filter: 'a', qos: 1, retainAsPublished: true },
    { filter: 'c' },
  ];
  assert.deepEqual(back.subscribe(others, again).reasons, [0x97, 0x97, 0x97, 0x97]);
  assert.deepEqual(back.subscribe([{ filter: 'a', qos: 1 }]).reasons, [0x97]);
  const refused = lines.filter((line) => line.startsWith('subscribe refused'));
  assert.equal(refused.length, 1, 'further lines wait a minute');
  assert.match(refused[0] ?? '', /"client":"kept".*"topic":"a"/);
  assert.equal(world.broker.stats.subscriptionsRefused, 5);
});

test('a repeated subscription is granted only once the first is on the disk', async () => {
  const stored = await StoredBroker.start();
  const { world, disk, journal } = stored;
  const first = world.connect('kept', FOR_EVER);
  await stored.safe();
  disk.capacityBytes = disk.usedBytes + 5;
  first.send(wire.subscribe(5, 1, ['a']));
  await stored.until(() => !journal.accepting);
  assert.deepEqual(typesOf(first), []);
  const second = world.connect('kept', FOR_EVER);
  second.send(wire.subscribe(5, 2, ['a']));
  assert.deepEqual(typesOf(second), []);
  makeRoom(disk);
  await stored.until(() => typesOf(second).includes('suback'));
  const { world: next } = await stored.cut();
  assert.equal(next.broker.context.tree.size, 1);
});

test('on a full disk queued QoS 1 messages of a persistent session are sent and repeated', async () => {
  const stored = await StoredBroker.start();
  const { world } = stored;
  const properties = { sessionExpiryInterval: 3600, receiveMaximum: 2 };
  const first = world.connect('kept', { clean: false, properties });
  first.send(wire.subscribe(5, 1, [{ filter: 't', qos: 1 }]));
  await stored.until(() => typesOf(first).includes('suback'));
  const pub = world.connect('pub');
  for (let id = 1; id <= 4; id++) publish(pub, id, `${id}`);
  await stored.safe();
  first.lose();
  await fill(stored);
  const back = world.connect('kept', { clean: false, properties });
  assert.deepEqual(back.payloads(), ['1', '2', '3', '4']);
});

test('on a full disk a clean session finishes its QoS 2 exchanges', async () => {
  const stored = await StoredBroker.start();
  const pub = stored.world.connect('pub', { version: 4 });
  publish(pub, 1, 'x', 2);
  await stored.until(() => typesOf(pub).includes('pubrec'));
  await fill(stored);
  pub.inbox.length = 0;
  pub.send(wire.ack('pubrel', 1));
  assert.equal(pub.expect('pubcomp').id, 1);
  pub.send(wire.PINGREQ);
  pub.expect('pingresp');
});

test('a client that waits for the disk gets answers to PINGREQ, and only its own silence ends it', async () => {
  const stored = await StoredBroker.start();
  const { world } = stored;
  await fill(stored);
  const pub = world.connect('pub', { version: 4, keepAlive: 10 });
  publish(pub, 1, 'waits');
  for (let round = 0; round < 10; round++) {
    world.advance(10_000);
    pub.send(wire.PINGREQ);
    pub.expect('pingresp');
  }
  pub.expectNothing();
  world.advance(16_000);
  assert.equal(pub.closed, true);
  const other = world.connect('other', { version: 4, keepAlive: 10 });
  publish(other, 1, 'one');
  world.advance(1000);
  // The broker does not see a PINGREQ behind another message, because it does not read then.
  publish(other, 2, 'two');
  other.send(wire.PINGREQ);
  world.advance(60_000);
  other.expectNothing();
  makeRoom(stored.disk);
  await stored.until(() => typesOf(other).length === 3);
  assert.deepEqual(typesOf(other).sort(), ['pingresp', 'puback', 'puback']);
});

test('a client that disconnects while it waits for the disk leaves nothing in memory', async () => {
  const stored = await StoredBroker.start();
  await fill(stored);
  const collect = gc();
  const used = (): number => {
    collect();
    collect();
    return process.memoryUsage().arrayBuffers;
  };
  const before = used();
  for (let i = 0; i < 50; i++) {
    const pub = stored.world.connect(`pub-${i}`, { version: 4 });
    publish(pub, 1, 'x'.repeat(200_000));
    pub.lose();
  }
  stored.world.advance(60_000);
  const left = used() - before;
  assert.ok(left < 2_000_000, `${left} bytes are left`);
});

/** A session with a QoS 2 message in flight on a full disk, and the calls of whenDurable(). */
async function withInflight(
  stored: StoredBroker,
): Promise<{ sub: TestClient; calls: () => number }> {
  const { world, journal } = stored;
  const sub = world.connect('kept', FOR_EVER);
  sub.send(wire.subscribe(5, 1, [{ filter: 't', qos: 2 }]));
  publish(world.connect('pub'), 1, 'x', 2);
  await stored.until(() => typesOf(sub).includes('publish'));
  sub.inbox.length = 0;
  await stored.safe();
  await fill(stored);
  let calls = 0;
  const { whenDurable } = journal;
  journal.whenDurable = (...waiter) => {
    calls += 1;
    return whenDurable.apply(journal, waiter);
  };
  return { sub, calls: () => calls };
}

test('the store is asked once for QoS 2 messages that wait, however often the client reconnects', async () => {
  const stored = await StoredBroker.start();
  const { sub, calls } = await withInflight(stored);
  sub.lose();
  for (let round = 0; round < 10; round++) {
    const back = stored.world.connect('kept', FOR_EVER);
    back.subscribe('$SYS/#');
    for (let i = 0; i < 10; i++) back.send(wire.ack('puback', 99));
    back.expectNothing();
    back.lose();
  }
  assert.equal(calls(), 1);
  const last = stored.world.connect('kept', FOR_EVER);
  makeRoom(stored.disk);
  await stored.until(() => typesOf(last).includes('publish'));
});

test('a repeated PUBREC does not ask the store again while its PUBREL waits', async () => {
  const stored = await StoredBroker.start();
  const { sub, calls } = await withInflight(stored);
  for (let i = 0; i < 10; i++) sub.send(wire.ack('pubrec', 1));
  assert.equal(calls(), 1);
  makeRoom(stored.disk);
  await stored.until(() => typesOf(sub).length > 0);
  assert.deepEqual(typesOf(sub), ['pubrel']);
});

function gc(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc');
}

test('a PUBREC for a QoS 2 message that waits for the disk is a protocol error', async () => {
  const stored = await StoredBroker.start();
  const sub = await subscriber(stored, 'kept', 2);
  publish(stored.world.connect('pub'), 1, 'x', 2);
  assert.deepEqual(typesOf(sub), [], 'its PUBLISH waits for the disk');
  sub.send(wire.ack('pubrec', 1));
  sub.expectEnded(0x82);
  const again = stored.world.connect('kept', FOR_EVER);
  await stored.until(() => typesOf(again).includes('publish'));
  assert.equal(again.expect('publish').dup, false, 'it is sent for the first time');
});

/** A disk that is behind by more than half of what may wait, and slow enough for a test to look. */
async function busy(): Promise<StoredBroker> {
  const stored = await StoredBroker.start();
  stored.disk.turns = () => 200;
  const filler = stored.world.connect('filler');
  for (let i = 0; i < 5; i++) {
    const fields = { topic: `r/${i}`, payload: Buffer.alloc(500_000), retain: true };
    filler.send(wire.publish(5, fields));
  }
  assert.equal(stored.journal.busy, true);
  assert.equal(stored.journal.congested, false);
  return stored;
}

const WITH_WILL = { will: { topic: 'w', payload: Buffer.alloc(60_000) } };

for (const [what, fields] of [
  ['has a will', WITH_WILL],
  ['outlives its connection', FOR_EVER],
] as const) {
  test(`while the disk is behind, the CONNECT of a session that ${what} waits for it`, async () => {
    const stored = await busy();
    const client = stored.world.open();
    client.send(wire.connect({ clientId: 'new', ...fields }), wire.PINGREQ);
    assert.deepEqual(typesOf(client), []);
    stored.world.connect('needs no disk');
    await stored.until(() => typesOf(client).length === 2);
    assert.deepEqual(typesOf(client), ['connack', 'pingresp']);
  });
}

test('while the disk is behind, subscriptions of stored sessions wait and publishers do not', async () => {
  const stored = await StoredBroker.start();
  const kept = stored.world.connect('kept', FOR_EVER);
  stored.disk.turns = () => 200;
  const filler = stored.world.connect('filler');
  for (let i = 0; i < 5; i++) {
    const fields = { topic: `r/${i}`, payload: Buffer.alloc(500_000), retain: true };
    filler.send(wire.publish(5, fields));
  }
  kept.send(wire.subscribe(5, 1, ['t']));
  const reader = stored.world.connect('reader');
  reader.subscribe('t');
  publish(stored.world.connect('pub'), 1, 'x');
  assert.equal(reader.expect('publish').payload, 'x');
  assert.deepEqual(typesOf(kept), []);
  await stored.until(() => typesOf(kept).includes('suback'));
});

test('a client that leaves while its CONNECT waits for the disk leaves no session', async () => {
  const stored = await busy();
  const { world } = stored;
  const sessions = world.broker.sessionCount;
  const client = world.open();
  client.send(wire.connect({ clientId: 'new', ...FOR_EVER }));
  client.lose();
  await stored.safe();
  assert.equal(world.broker.sessionCount, sessions);
});

test('of many CONNECTs that waited for the disk only as many continue as it takes', async () => {
  const stored = await busy();
  let most = 0;
  const clients = Array.from({ length: 200 }, (_, i) => {
    const client = stored.world.open();
    client.send(wire.connect({ clientId: `c${i}`, ...WITH_WILL }));
    return client;
  });
  await stored.until(() => {
    most = Math.max(most, stored.journal.metrics().waitingBytes);
    return clients.every((client) => client.inbox.length > 0);
  });
  assert.ok(most < 4_000_000, `${most} bytes waited`);
});

test('of many publishers that waited for the disk only as many continue as it takes', async () => {
  const stored = await busy();
  const { world, journal } = stored;
  const filler = world.connect('filler 2');
  for (let i = 0; !journal.congested; i++) {
    const fields = { topic: `f/${i}`, payload: Buffer.alloc(500_000), retain: true };
    filler.send(wire.publish(5, fields));
  }
  for (let i = 0; i < 100; i++) {
    const fields = { topic: `late/${i}`, payload: Buffer.alloc(100_000), retain: true };
    world.connect(`p${i}`).send(wire.publish(5, fields));
  }
  const { retained } = world.broker.context;
  let most = 0;
  await stored.until(() => {
    most = Math.max(most, journal.metrics().waitingBytes);
    return retained.get('late/99') !== undefined;
  });
  assert.ok(most < 6_000_000, `${most} bytes waited`);
});
