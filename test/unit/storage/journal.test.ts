import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Peer } from '../../conformance/harness.ts';
import * as wire from '../../conformance/wire.ts';
import { delivery, message, session } from '../../contract/session-store.ts';
import { StoredBroker, WALL_MS } from '../../support/stored-broker.ts';

const FOR_EVER = { clean: false, properties: { sessionExpiryInterval: 0xffffffff } } as const;
const HOUR_MS = 3_600_000;

const publish = (peer: Peer, id: number, payload: string, qos: 1 | 2 = 1): void =>
  peer.send(wire.publish(peer.version, { topic: 't', payload, qos, id }));
const turns = async (count: number): Promise<void> => {
  for (let left = count; left > 0; left--) await new Promise((next) => setImmediate(next));
};
const types = (peer: Peer): string[] => peer.inbox.map(({ type }) => type);

async function subscriber(stored: StoredBroker, clientId = 'sub', qos: 1 | 2 = 2): Promise<Peer> {
  const peer = stored.world.connect(clientId, FOR_EVER);
  peer.send(wire.subscribe(5, 1, [{ filter: '#', qos }]));
  await stored.until(() => types(peer).includes('suback'));
  peer.inbox.length = 0;
  return peer;
}

test('PUBACK, PUBREC and SUBACK leave only when their records are on the disk', async () => {
  const stored = await StoredBroker.start();
  const sub = stored.world.connect('sub', FOR_EVER);
  sub.send(wire.subscribe(5, 1, [{ filter: '#', qos: 2 }]));
  assert.deepEqual(types(sub), []);
  const pub = stored.world.connect('pub', FOR_EVER);
  publish(pub, 1, 'one', 1);
  publish(pub, 2, 'two', 2);
  assert.deepEqual(types(pub), []);
  const before = stored.disk.syncs;
  await stored.until(() => types(pub).length === 2);
  assert.deepEqual(types(pub), ['puback', 'pubrec']);
  assert.ok(types(sub).includes('suback'));
  assert.equal(stored.disk.syncs, before + 1, 'one sync for all of the turn');
});

test('a QoS 2 PUBLISH and its PUBREL leave only when a crash cannot undo them', async () => {
  const stored = await StoredBroker.start();
  const sub = await subscriber(stored);
  const pub = stored.world.connect('pub', FOR_EVER);
  publish(pub, 1, 'x', 2);
  assert.deepEqual(types(sub), []);
  await stored.until(() => types(sub).includes('publish'));
  sub.send(wire.ack('pubrec', sub.expect('publish').id));
  assert.deepEqual(types(sub), []);
  await stored.until(() => types(sub).includes('pubrel'));
});

test('a message that waits for a thousand sessions is written once', async () => {
  const stored = await StoredBroker.start();
  const { journal, disk } = stored;
  const payload = 'x'.repeat(10_000);
  const shared = message('t', payload);
  for (let i = 0; i < 1000; i++) {
    journal.saveSession(session(`c${i}`));
    journal.saveDelivery(`c${i}`, delivery(1, shared));
  }
  await stored.safe();
  assert.ok(disk.usedBytes < 50_000, `${disk.usedBytes} bytes`);
  await journal.compact();
  assert.ok(disk.usedBytes < 50_000, `${disk.usedBytes} bytes after a snapshot`);
});

test('a session that ends with its connection is not written at all', async () => {
  const stored = await StoredBroker.start();
  const before = stored.disk.usedBytes;
  const sub = stored.world.connect('sub');
  sub.subscribe('other');
  sub.publish('t', 'x', { qos: 1 });
  await stored.safe();
  assert.equal(stored.disk.usedBytes, before);
});

test('a snapshot replaces the files before it, and all is still there', async () => {
  const stored = await StoredBroker.start();
  const sub = await subscriber(stored, 'sub', 1);
  sub.lose();
  const pub = stored.world.connect('pub', FOR_EVER);
  for (let id = 1; id <= 20; id++) publish(pub, id, `${id}`);
  pub.send(wire.publish(5, { topic: 'r', payload: 'kept', retain: true }));
  await stored.safe();
  await stored.journal.compact();
  publish(pub, 21, '21');
  await stored.safe();
  assert.deepEqual([...stored.disk.list()].sort(), [
    'shoal-00000002.log',
    'shoal-00000002.snapshot',
  ]);
  const again = await stored.cut();
  const back = again.world.connect('sub', FOR_EVER);
  assert.equal(back.connack.sessionPresent, true);
  await again.until(() => back.inbox.length === 21);
  const payloads = back.inbox.map(({ payload }) => payload);
  assert.equal(again.world.broker.retained.get('r')?.payload.toString(), 'kept');
  assert.deepEqual(
    payloads,
    Array.from({ length: 21 }, (_, i) => `${i + 1}`),
  );
});

test('of retained messages the log has the last word on what the snapshot tells', async () => {
  const stored = await StoredBroker.start();
  const pub = stored.world.connect('pub', FOR_EVER);
  const retain = (topic: string, payload: string): void =>
    pub.send(wire.publish(5, { topic, payload, retain: true }));
  for (const topic of ['left', 'changed', 'removed', 'back']) retain(topic, 'snapshot');
  await stored.safe();
  await stored.journal.compact();
  for (const topic of ['changed', 'new', 'gone']) retain(topic, 'log');
  for (const topic of ['removed', 'back', 'gone']) retain(topic, '');
  retain('back', 'log');
  await stored.safe();
  const again = await stored.cut();
  const all = [...again.world.broker.retained.all()];
  assert.deepEqual(all.map(({ topic, payload }) => `${topic.name} ${payload}`).sort(), [
    'back log',
    'changed log',
    'left snapshot',
    'new log',
  ]);
});

test('a message of an earlier file that is delivered anew is written anew', async () => {
  const stored = await StoredBroker.start();
  const shared = message('t', 'old');
  stored.journal.saveSession(session('a'));
  stored.journal.saveSession(session('b'));
  stored.journal.saveDelivery('a', delivery(1, shared));
  await stored.safe();
  // The walk finds nobody, as if both sessions had ended meanwhile.
  await stored.journal.compact();
  stored.journal.saveSession(session('b'));
  stored.journal.saveDelivery('b', delivery(1, shared));
  await stored.safe();
  const again = await stored.cut();
  const b = again.world.connect('b', FOR_EVER);
  await again.until(() => types(b).length > 0);
  assert.equal(b.expect('publish').payload, 'old');
});

test('on a full disk MQTT 5 publishers are refused with 0x97, and served when there is room', async () => {
  const stored = await StoredBroker.start();
  const { disk, world } = stored;
  const sub = await subscriber(stored, 'sub', 1);
  sub.lose();
  const pub = world.connect('pub', FOR_EVER);
  await stored.safe();
  disk.capacityBytes = disk.usedBytes + 20;
  publish(pub, 1, 'refused late');
  await stored.until(() => types(pub).length === 1);
  assert.equal(pub.expect('puback').reason, 0x97);
  publish(pub, 2, 'refused at once');
  publish(pub, 3, 'refused at once', 2);
  assert.deepEqual(
    pub.inbox.map(({ type, reason }) => [type, reason]),
    [
      ['puback', 0x97],
      ['pubrec', 0x97],
    ],
  );
  pub.inbox.length = 0;
  pub.send(wire.subscribe(5, 4, [{ filter: 'x' }]));
  assert.deepEqual(pub.expect('suback').reasons, [0x97]);
  disk.capacityBytes = Number.POSITIVE_INFINITY;
  await stored.until(() => stored.journal.accepting, 'room');
  publish(pub, 5, 'taken');
  await stored.until(() => types(pub).length === 1);
  assert.equal(pub.expect('puback').reason, 0);
  const again = await stored.cut();
  const back = again.world.connect('sub', FOR_EVER);
  await again.until(() => back.inbox.some(({ payload }) => payload === 'taken'));
});

test('a QoS 2 message that found the disk full is not refused any more, and nothing overtakes it', async () => {
  const stored = await StoredBroker.start();
  const { disk, journal, world } = stored;
  const sub = await subscriber(stored, 'sub', 2);
  const pub = world.connect('pub', FOR_EVER);
  await stored.safe();
  disk.capacityBytes = disk.usedBytes + 20;
  publish(pub, 1, 'first', 2);
  await stored.until(() => !journal.accepting);
  publish(pub, 2, 'second', 2);
  assert.deepEqual(types(pub), []);
  disk.capacityBytes = Number.POSITIVE_INFINITY;
  await stored.until(() => types(pub).length === 2);
  assert.deepEqual(
    pub.inbox.map(({ type, id, reason }) => [type, id, reason]),
    [
      ['pubrec', 1, 0],
      ['pubrec', 2, 0],
    ],
  );
  await stored.until(() => types(sub).length === 2);
  assert.deepEqual(
    sub.inbox.map(({ payload }) => payload),
    ['first', 'second'],
  );
});

test('a SUBSCRIBE that was granted in part before the disk was full is answered when it is safe', async () => {
  const stored = await StoredBroker.start();
  const { disk, journal, world } = stored;
  const sub = world.connect('sub', FOR_EVER);
  await stored.safe();
  disk.capacityBytes = disk.usedBytes + 20;
  // More than a turn's work.
  const filters = Array.from({ length: 1000 }, (_, i) => ({ filter: `f/${i}` }));
  sub.send(wire.subscribe(5, 1, filters));
  await stored.until(() => !journal.accepting);
  for (let round = 0; round < 10; round++) world.broker.runDeferred(world.now);
  assert.deepEqual(types(sub), []);
  disk.capacityBytes = Number.POSITIVE_INFINITY;
  await stored.until(() => types(sub).length > 0);
  const granted = sub.expect('suback').reasons.filter((code) => code === 0).length;
  assert.ok(granted > 0 && granted < 1000, `${granted} are granted`);
  const again = await stored.cut();
  assert.equal(again.world.broker.tree.size, granted);
});

test('on a full disk earlier publishers wait, unread, and lose nothing', async () => {
  const stored = await StoredBroker.start();
  const { disk, world } = stored;
  const sub = await subscriber(stored, 'sub', 1);
  sub.lose();
  const pub = world.connect('pub', { version: 4, clean: false });
  await stored.safe();
  disk.capacityBytes = disk.usedBytes + 20;
  publish(pub, 1, 'first');
  await stored.until(() => !stored.journal.accepting);
  const queued = (): number => [...world.broker.sessions()].reduce((n, s) => n + s.queued, 0);
  const before = queued();
  for (let id = 2; id <= 50; id++) publish(pub, id, `${id}`);
  pub.send(wire.PINGREQ);
  world.advance(HOUR_MS);
  assert.equal(queued(), before, 'nothing more is taken into memory');
  assert.deepEqual(types(pub), []);
  assert.equal(pub.closed, false, 'whoever is not read has no keep alive to keep');
  disk.capacityBytes = Number.POSITIVE_INFINITY;
  await stored.until(() => types(pub).length === 51);
  assert.deepEqual(
    pub.inbox.filter(({ type }) => type === 'puback').map(({ id }) => id),
    Array.from({ length: 50 }, (_, i) => i + 1),
  );
  const again = await stored.cut();
  const back = again.world.connect('sub', FOR_EVER);
  await again.until(() => back.inbox.length === 50);
});

test('a full disk, or a snapshot under way, does not hold up a stop', async () => {
  const stored = await StoredBroker.start();
  (await subscriber(stored, 'sub', 1)).lose();
  const pub = stored.world.connect('pub', { version: 4, clean: false });
  await stored.safe();
  const busy = stored.journal.compact();
  stored.disk.capacityBytes = stored.disk.usedBytes;
  publish(pub, 1, 'x');
  await stored.until(() => !stored.journal.accepting);
  void stored.journal.compact();
  await stored.journal.close();
  await busy;
  assert.ok(stored.lines.some((line) => line.startsWith('stopped without having written')));
  assert.equal((await stored.cut()).world.broker.sessionCount, 2);
});

test('a full disk is no reason not to start', async () => {
  const stored = await StoredBroker.start();
  (await subscriber(stored, 'sub', 1)).lose();
  await stored.safe();
  const left = stored.disk.powerCut(() => 0);
  left.capacityBytes = left.usedBytes + 10;
  const full = await StoredBroker.start({ disk: left });
  assert.equal(full.world.broker.sessionCount, 1);
  const pub = full.world.connect('pub', FOR_EVER);
  publish(pub, 1, 'no');
  assert.equal(pub.expect('puback').reason, 0x97);
  left.capacityBytes = Number.POSITIVE_INFINITY;
  await full.until(() => full.journal.accepting);
  publish(pub, 2, 'yes');
  await full.until(() => types(pub).length > 0);
  assert.equal(pub.expect('puback').reason, 0);
  const again = await full.cut();
  const back = again.world.connect('sub', FOR_EVER);
  await again.until(() => back.inbox.length === 1);
  assert.equal(back.expect('publish').payload, 'yes');
});

test('a sync that fails is made good by a whole snapshot, and only then acknowledged', async () => {
  const stored = await StoredBroker.start();
  const sub = await subscriber(stored, 'sub', 1);
  sub.lose();
  const pub = stored.world.connect('pub', { version: 4, clean: false });
  await stored.safe();
  stored.disk.isBroken = true;
  publish(pub, 1, 'x');
  await stored.until(() => stored.lines.some((line) => line.startsWith('snapshot failed')));
  assert.deepEqual(types(pub), []);
  stored.disk.isBroken = false;
  await stored.until(() => types(pub).includes('puback'));
  const again = await stored.cut();
  const back = again.world.connect('sub', FOR_EVER);
  await again.until(() => back.inbox.length === 1);
  assert.ok(again.disk.list().length <= 3, `${again.disk.list()}`);
});

test('whoever publishes faster than the disk takes it is not read until it has caught up', async () => {
  const stored = await StoredBroker.start();
  const { disk, world, journal } = stored;
  disk.turns = () => 20;
  const pub = world.connect('pub', { version: 4 });
  const payload = 'x'.repeat(100_000);
  let most = 0;
  for (let round = 0; round < 200; round++) {
    pub.send(wire.publish(4, { topic: `r${round}`, payload, retain: true }));
    most = Math.max(most, Number(journal.sysValues()['storage/waiting/bytes']));
  }
  assert.ok(most > 1_000_000 && most < 5_000_000, `${most} bytes wait`);
  await stored.until(() => world.broker.retained.count === 200);
  await stored.safe();
  const again = await stored.cut();
  assert.equal(again.world.broker.retained.count, 200);
});

test('what waits for a full disk is bounded, and replaced by a snapshot when there is room', async () => {
  const stored = await StoredBroker.start({ journal: { pendingBytesMax: 20_000 } });
  const { disk, world, journal } = stored;
  const pub = world.connect('pub', FOR_EVER);
  await stored.safe();
  disk.capacityBytes = disk.usedBytes;
  // QoS 0 can't be refused: its retained messages go on changing.
  for (let round = 0; round < 300; round++) {
    pub.send(
      wire.publish(5, { topic: `r${round % 50}`, payload: `${round}`.repeat(99), retain: true }),
    );
    await new Promise((next) => setImmediate(next));
  }
  await stored.until(() => stored.lines.some((line) => line.includes('wait for a new snapshot')));
  assert.equal(journal.accepting, false);
  disk.capacityBytes = Number.POSITIVE_INFINITY;
  await stored.until(() => journal.accepting);
  await stored.safe();
  const again = await stored.cut();
  const reader = again.world.connect('reader');
  reader.send(wire.subscribe(5, 1, [{ filter: '#' }]));
  const found = reader.inbox.filter(({ type }) => type === 'publish');
  assert.equal(found.length, 50);
  assert.ok(found.every(({ payload }) => Number(payload.slice(0, 3)) >= 250));
});

test('times go on over a restart: message expiry, session expiry, the delay of a will', async () => {
  const stored = await StoredBroker.start();
  const { world } = stored;
  const sub = await subscriber(stored, 'sub', 1);
  sub.lose();
  const properties = { sessionExpiryInterval: 7200 };
  const will = { topic: 'gone', payload: 'x', qos: 1, properties: { willDelayInterval: 7000 } };
  world.connect('dying', { clean: false, properties, will } as never).lose();
  const pub = world.connect('pub', FOR_EVER);
  pub.send(
    wire.publish(5, {
      topic: 't',
      payload: 'short',
      qos: 1,
      id: 1,
      properties: { messageExpiryInterval: 3700 },
    }),
  );
  await stored.safe();
  const again = await stored.cut({ wallMs: WALL_MS + HOUR_MS });
  again.world.advance(90_000);
  assert.equal(again.world.broker.sessionCount, 3);
  const early = again.world.connect('sub', FOR_EVER);
  await again.until(() => early.inbox.length > 0);
  const [first] = early.inbox;
  assert.equal(first?.payload, 'short');
  assert.equal(first?.properties?.messageExpiryInterval, 10);
  early.inbox.length = 0;
  again.world.advance(HOUR_MS);
  assert.deepEqual(
    early.inbox.map(({ payload, topic }) => [topic, payload]),
    [['gone', 'x']],
  );
  assert.equal(again.world.broker.sessionCount, 2, 'the session ended in its time');
});

test('a clock that jumped makes nothing expire', async () => {
  const stored = await StoredBroker.start({ wallMs: 0 });
  const sub = await subscriber(stored, 'sub', 1);
  sub.lose();
  const pub = stored.world.connect('pub', FOR_EVER);
  const properties = { messageExpiryInterval: 3600 };
  pub.send(wire.publish(5, { topic: 't', payload: 'x', qos: 1, id: 1, properties }));
  await stored.safe();
  const unset = await stored.cut({ wallMs: WALL_MS });
  unset.journal.saveSession(session('written with the right clock'));
  await unset.safe();
  const back = await unset.cut({ wallMs: WALL_MS - 90 * 24 * HOUR_MS });
  const reader = back.world.connect('sub', FOR_EVER);
  await back.until(() => reader.inbox.length > 0);
  assert.equal(reader.expect('publish').properties?.messageExpiryInterval, 3600);
});

test('an orderly stop writes everything, and another journal may have the folder', async () => {
  const stored = await StoredBroker.start();
  stored.world.connect('a', FOR_EVER);
  stored.world.broker.shutdown(stored.world.now);
  await stored.journal.close();
  const again = await stored.cut();
  assert.equal(again.world.broker.sessionCount, 1);
});

test('a snapshot counts only together with what its log was told while it was written', async () => {
  const stored = await StoredBroker.start();
  const { disk, world, journal } = stored;
  for (const name of ['a', 'b']) (await subscriber(stored, name)).lose();
  const pub = world.connect('pub', FOR_EVER);
  // So much for the first session that the walk rests before it comes to the second.
  for (let id = 1; id <= 3; id++) publish(pub, id, 'x'.repeat(100_000), 2);
  await stored.until(() => types(pub).length === 3);
  void journal.compact();
  const isUnderWay = (): boolean =>
    [...disk.files()].some(([name, bytes]) => name.endsWith('.tmp') && bytes.length > 100_000);
  await stored.until(isUnderWay);
  disk.turns = (name) => (name?.endsWith('.log') ? 5000 : 1);
  publish(pub, 4, 'late', 2);
  await turns(100);
  const again = await stored.cut();
  const copies = [...again.world.broker.sessions()].map(
    (session) =>
      session.deliveries().filter(({ message: { payload } }) => payload.toString() === 'late')
        .length,
  );
  assert.deepEqual(copies, [0, 0, 0], 'nobody has what was not acknowledged, or everybody');
});

test('a stop does not wait for room that a snapshot waits for', { timeout: 5000 }, async () => {
  const stored = await StoredBroker.start();
  const { disk, journal, world } = stored;
  (await subscriber(stored, 'sub', 1)).lose();
  const pub = world.connect('pub', FOR_EVER);
  await stored.safe();
  const syncNames = disk.syncNames.bind(disk);
  let goOn = (): void => undefined;
  disk.syncNames = async () => {
    await new Promise<void>((resolve) => {
      goOn = resolve;
    });
    await syncNames();
  };
  void journal.compact();
  await stored.until(() => disk.list().length === 2);
  await turns(5);
  disk.capacityBytes = disk.usedBytes;
  publish(pub, 1, 'x');
  await stored.until(() => !journal.accepting);
  const closing = journal.close();
  goOn();
  await closing;
});

test('after a stop on a full disk nothing is tried again', async () => {
  const stored = await StoredBroker.start();
  const { disk } = stored;
  (await subscriber(stored, 'sub', 1)).lose();
  await stored.safe();
  disk.capacityBytes = disk.usedBytes;
  publish(stored.world.connect('pub', FOR_EVER), 1, 'x');
  await stored.until(() => !stored.journal.accepting);
  let writes = 0;
  disk.turns = (name) => {
    if (name?.endsWith('.log')) writes += 1;
    return 20;
  };
  await stored.until(() => writes > 0, 'another try');
  await stored.journal.close();
  const before = writes;
  await new Promise((later) => setTimeout(later, 50));
  assert.equal(writes, before);
  assert.deepEqual(disk.misuses, []);
});

test('what stands in the log is counted anew with each snapshot', async () => {
  const stored = await StoredBroker.start();
  const { disk, journal } = stored;
  disk.turns = () => 3;
  for (let round = 0; round < 5; round++) {
    journal.saveRetained(message('t', 'x'.repeat(10_000)));
    const safe = stored.safe();
    await journal.compact();
    await safe;
  }
  const logs = [...disk.files()].filter(([name]) => name.endsWith('.log'));
  const bytes = logs.reduce((sum, [, { length }]) => sum + length, 0);
  assert.equal(journal.sysValues()['storage/log/bytes'], String(bytes));
});

test('files that can not be removed cost nothing but room, and go with the next snapshot', async () => {
  const stored = await StoredBroker.start();
  const { disk, journal, world } = stored;
  (await subscriber(stored, 'sub', 1)).lose();
  const pub = world.connect('pub', { version: 4, clean: false });
  await stored.safe();
  disk.isBroken = true;
  publish(pub, 1, 'one');
  await stored.until(() => !journal.accepting);
  disk.isBroken = false;
  const remove = disk.remove.bind(disk);
  disk.remove = () => Promise.reject(new Error('EIO: i/o error, unlink'));
  await stored.until(() => journal.accepting);
  publish(pub, 2, 'two');
  await stored.until(() => types(pub).filter((type) => type === 'puback').length === 2);
  await turns(50);
  const again = await stored.cut();
  const back = again.world.connect('sub', FOR_EVER);
  await again.until(() => back.inbox.length === 2);
  disk.remove = remove;
  await journal.compact();
  assert.equal(disk.list().length, 2, `${disk.list()}`);
});

test('a disk that fails again while a snapshot takes its place is made good by another one', async () => {
  const stored = await StoredBroker.start();
  const { disk, journal, world } = stored;
  const pub = world.connect('pub', { version: 4, clean: false });
  await stored.safe();
  disk.isBroken = true;
  publish(pub, 1, 'x', 2);
  await stored.until(() => !journal.accepting);
  disk.isBroken = false;
  const syncNames = disk.syncNames.bind(disk);
  let failures = 0;
  disk.syncNames = async () => {
    if (failures === 0 && disk.list().some((name) => name.endsWith('.snapshot'))) {
      failures = disk.syncs;
      disk.isBroken = true;
      pub.send(wire.publish(4, { topic: 'late', payload: 'x', retain: true }));
      await stored.until(() => disk.syncs > failures, 'a sync of the log');
      await turns(3);
      disk.isBroken = false;
    }
    await syncNames();
  };
  await stored.until(() => journal.accepting);
  await stored.safe();
  const again = await stored.cut();
  assert.equal(again.world.broker.retained.get('late')?.payload.toString(), 'x');
});

test('a disk that fails for long leaves no files open', async () => {
  const stored = await StoredBroker.start();
  const { disk, world } = stored;
  publish(world.connect('pub', { version: 4, clean: false }), 1, 'x');
  disk.isBroken = true;
  const failures = (): number =>
    stored.lines.filter((line) => line.startsWith('snapshot failed')).length;
  await stored.until(() => failures() > 10);
  assert.ok(disk.openFiles <= 3, `${disk.openFiles} files are open`);
});
