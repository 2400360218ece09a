import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Journal } from '../../../src/storage/journal.ts';
import { MemoryDisk } from '../../support/memory-disk.ts';
import {
  FOR_EVER,
  publish,
  StoredBroker,
  subscriber,
  turns,
  typesOf,
  WALL_MS,
} from '../../support/stored-broker.ts';
import { delivery, message, session } from '../../support/stored-records.ts';
import * as wire from '../../support/wire.ts';

const HOUR_MS = 3_600_000;

test('PUBACK, PUBREC and SUBACK are sent only when their records are on the disk', async () => {
  const stored = await StoredBroker.start();
  const sub = stored.world.connect('sub', FOR_EVER);
  sub.send(wire.subscribe(5, 1, [{ filter: '#', qos: 2 }]));
  assert.deepEqual(typesOf(sub), []);
  const pub = stored.world.connect('pub', FOR_EVER);
  publish(pub, 1, 'one', 1);
  publish(pub, 2, 'two', 2);
  assert.deepEqual(typesOf(pub), []);
  const before = stored.disk.syncs;
  await stored.until(() => typesOf(pub).length === 2);
  assert.deepEqual(typesOf(pub), ['puback', 'pubrec']);
  assert.ok(typesOf(sub).includes('suback'));
  assert.equal(stored.disk.syncs, before + 1, 'one sync for all of the turn');
});

test('a QoS 2 PUBLISH and its PUBREL are sent only when a crash cannot undo them', async () => {
  const stored = await StoredBroker.start();
  const sub = await subscriber(stored);
  const pub = stored.world.connect('pub', FOR_EVER);
  publish(pub, 1, 'x', 2);
  assert.deepEqual(typesOf(sub), []);
  await stored.until(() => typesOf(sub).includes('publish'));
  sub.send(wire.ack('pubrec', sub.expect('publish').id));
  assert.deepEqual(typesOf(sub), []);
  await stored.until(() => typesOf(sub).includes('pubrel'));
});

test('a message queued for a thousand sessions is written once', async () => {
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

test('a session that ends with its connection is never written', async () => {
  const stored = await StoredBroker.start();
  const before = stored.disk.usedBytes;
  const sub = stored.world.connect('sub');
  sub.subscribe('other');
  sub.publish('t', 'x', { qos: 1 });
  await stored.safe();
  assert.equal(stored.disk.usedBytes, before);
});

test('a snapshot replaces all earlier files and loses nothing', async () => {
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
  assert.equal(again.world.broker.context.retained.get('r')?.payload.toString(), 'kept');
  assert.deepEqual(
    payloads,
    Array.from({ length: 21 }, (_, i) => `${i + 1}`),
  );
});

test('a retained message in the log overrides the one in the snapshot', async () => {
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
  const all = [...again.world.broker.context.retained.all()];
  assert.deepEqual(all.map(({ topic, payload }) => `${topic.name} ${payload}`).sort(), [
    'back log',
    'changed log',
    'left snapshot',
    'new log',
  ]);
});

test('a message that is delivered again after a snapshot is written to the new log again', async () => {
  const stored = await StoredBroker.start();
  const shared = message('t', 'old');
  stored.journal.saveSession(session('a'));
  stored.journal.saveSession(session('b'));
  stored.journal.saveDelivery('a', delivery(1, shared));
  await stored.safe();
  // The walk finds no session, as if both had ended meanwhile.
  await stored.journal.compact();
  stored.journal.saveSession(session('b'));
  stored.journal.saveDelivery('b', delivery(1, shared));
  await stored.safe();
  const again = await stored.cut();
  const b = again.world.connect('b', FOR_EVER);
  await again.until(() => typesOf(b).length > 0);
  assert.equal(b.expect('publish').payload, 'old');
});

test('message expiry, session expiry and will delay continue over a restart', async () => {
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

test('a wall clock that jumps makes nothing expire', async () => {
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

test('an orderly stop writes everything and releases the folder', async () => {
  const stored = await StoredBroker.start();
  stored.world.connect('a', FOR_EVER);
  stored.world.broker.shutdown(stored.world.now);
  await stored.journal.close();
  const again = await stored.cut();
  assert.equal(again.world.broker.sessionCount, 1);
});

test('a snapshot counts only together with the log written during it', async () => {
  const stored = await StoredBroker.start();
  const { disk, world, journal } = stored;
  for (const name of ['a', 'b']) (await subscriber(stored, name)).lose();
  const pub = world.connect('pub', FOR_EVER);
  // The first session is so large that the walk pauses before it reaches the second.
  for (let id = 1; id <= 3; id++) publish(pub, id, 'x'.repeat(100_000), 2);
  await stored.until(() => typesOf(pub).length === 3);
  void journal.compact();
  const isUnderWay = (): boolean =>
    [...disk.files()].some(([name, bytes]) => name.endsWith('.tmp') && bytes.length > 100_000);
  await stored.until(isUnderWay);
  disk.turns = (name) => (name?.endsWith('.log') ? 5000 : 1);
  publish(pub, 4, 'late', 2);
  await turns(100);
  const again = await stored.cut();
  const copies = [...again.world.broker.context.sessions.all()].map(
    (session) =>
      session.outbound
        .deliveries()
        .filter(({ message: { payload } }) => payload.toString() === 'late').length,
  );
  assert.deepEqual(
    copies,
    [0, 0, 0],
    'all subscribers have the unacknowledged message, or none has it',
  );
});

test('each snapshot restarts the count of log bytes', async () => {
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
  assert.equal(journal.metrics().logBytes, bytes);
});

test('400 starts without a change leave one log', async () => {
  const disk = new MemoryDisk();
  for (let start = 0; start < 400; start++) {
    const { journal } = await StoredBroker.start({ disk });
    await journal.close();
  }
  assert.equal(disk.list().length, 1);
});

test('400 starts with a change each leave few files, and every change', async () => {
  const disk = new MemoryDisk();
  for (let start = 0; start < 400; start++) {
    const { journal, world } = await StoredBroker.start({ disk });
    world.connect(`client ${start}`, FOR_EVER);
    await turns(30);
    await journal.close();
  }
  assert.ok(disk.list().length < 25, `${disk.list().length} files`);
  const last = await StoredBroker.start({ disk });
  assert.equal(last.world.broker.sessionCount, 400);
});

test('a file that the system does not let us read is neither skipped nor replaced', async () => {
  const stored = await StoredBroker.start();
  stored.journal.saveSession(session('a'));
  await stored.journal.close();
  const { disk } = stored;
  const before = disk.files();
  const open = disk.open.bind(disk);
  for (const code of ['EMFILE', 'EACCES']) {
    disk.open = () => {
      throw Object.assign(new Error(code), { code });
    };
    await assert.rejects(StoredBroker.start({ disk }), {
      name: 'StorageError',
      message: /^shoal-00000001\.log cannot be read: this (process has no file|user may not read)/,
    });
  }
  assert.deepEqual(disk.files(), before);
  disk.open = open;
  assert.equal((await StoredBroker.start({ disk })).world.broker.sessionCount, 1);
});

test('versions of replicated values outlive a restart, in a log and in a snapshot', async () => {
  const disk = new MemoryDisk();
  const version = { key: 'a', hasValue: true, time: 2 ** 47, writer: 9n, sequence: 1 };
  const known = { writer: 9n, from: 1, to: 3 };
  const first = await StoredBroker.start({ disk });
  first.journal.saveRegister({ ...version, time: 5 });
  first.journal.saveRegister(version);
  first.journal.saveRegister({ ...version, key: 'gone' });
  first.journal.removeRegister('gone');
  first.journal.saveKnown(known);
  await first.journal.close();
  const log = await openAgain(disk);
  assert.deepEqual(log.found, { registers: [version], known: [known] });
  log.journal.useCapture(function* (writer) {
    writer.saveRegister(version);
    yield;
    writer.saveKnown(known);
  });
  await log.journal.compact();
  await log.journal.close();
  const snapshot = await openAgain(disk);
  assert.deepEqual(snapshot.found, { registers: [version], known: [known] });
  await snapshot.journal.close();
});

async function openAgain(disk: MemoryDisk): Promise<{ journal: Journal; found: object }> {
  const log = { debug: ignore, info: ignore, warn: ignore, error: ignore };
  const { journal, state } = await Journal.open({ folder: 'memory', disk, log });
  const { registers, known } = state.registers;
  return { journal, found: { registers: [...registers], known: [...known] } };
}

function ignore(): void {}
