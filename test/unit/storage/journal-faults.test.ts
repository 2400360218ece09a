// The journal on disks that are full, slow or failing: what clients notice, and what survives.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Timers } from '../../../src/storage/timers.ts';
import {
  FOR_EVER,
  publish,
  StoredBroker,
  subscriber,
  turns,
  typesOf,
} from '../../support/stored-broker.ts';
import { message } from '../../support/stored-records.ts';
import * as wire from '../../support/wire.ts';

const HOUR_MS = 3_600_000;
/** Records that no caller waits for are written after this time. */
const LAZY_MS = 500;
const FAILURE = 'changes cannot be written: publishers are refused or wait';

test('on a full disk an MQTT 5 publisher gets 0x97, and success again once there is room', async () => {
  const stored = await StoredBroker.start();
  const { disk, world } = stored;
  const sub = await subscriber(stored, 'sub', 1);
  sub.lose();
  const pub = world.connect('pub', FOR_EVER);
  await stored.safe();
  disk.capacityBytes = disk.usedBytes + 20;
  publish(pub, 1, 'refused late');
  await stored.until(() => typesOf(pub).length === 1);
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
  await stored.until(() => typesOf(pub).length === 1);
  assert.equal(pub.expect('puback').reason, 0);
  const again = await stored.cut();
  const back = again.world.connect('sub', FOR_EVER);
  await again.until(() => back.inbox.some(({ payload }) => payload === 'taken'));
});

test('a QoS 2 message received before the disk was full waits for room, and no later one overtakes it', async () => {
  const stored = await StoredBroker.start();
  const { disk, journal, world } = stored;
  const sub = await subscriber(stored, 'sub', 2);
  const pub = world.connect('pub', FOR_EVER);
  await stored.safe();
  disk.capacityBytes = disk.usedBytes + 20;
  publish(pub, 1, 'first', 2);
  await stored.until(() => !journal.accepting);
  publish(pub, 2, 'second', 2);
  assert.deepEqual(typesOf(pub), []);
  disk.capacityBytes = Number.POSITIVE_INFINITY;
  await stored.until(() => typesOf(pub).length === 2);
  assert.deepEqual(
    pub.inbox.map(({ type, id, reason }) => [type, id, reason]),
    [
      ['pubrec', 1, 0],
      ['pubrec', 2, 0],
    ],
  );
  await stored.until(() => typesOf(sub).length === 2);
  assert.deepEqual(
    sub.inbox.map(({ payload }) => payload),
    ['first', 'second'],
  );
});

test('a SUBSCRIBE granted in part before the disk was full gets its SUBACK once the disk has room', async () => {
  const stored = await StoredBroker.start();
  const { disk, journal, world } = stored;
  const sub = world.connect('sub', FOR_EVER);
  await stored.safe();
  disk.capacityBytes = disk.usedBytes + 20;
  // More than a turn's work; the test makes the next turns itself.
  world.broker.onDeferred = () => undefined;
  const filters = Array.from({ length: 1000 }, (_, i) => ({ filter: `f/${i}` }));
  sub.send(wire.subscribe(5, 1, filters));
  await stored.until(() => !journal.accepting);
  for (let round = 0; round < 10; round++) world.broker.runDeferred(world.now);
  assert.deepEqual(typesOf(sub), []);
  disk.capacityBytes = Number.POSITIVE_INFINITY;
  await stored.until(() => typesOf(sub).length > 0);
  const granted = sub.expect('suback').reasons.filter((code) => code === 0).length;
  assert.ok(granted > 0 && granted < 1000, `${granted} are granted`);
  const again = await stored.cut();
  assert.equal(again.world.broker.context.tree.size, granted);
});

test('on a full disk MQTT 3 publishers are not read, and lose no message', async () => {
  const stored = await StoredBroker.start();
  const { disk, world } = stored;
  const sub = await subscriber(stored, 'sub', 1);
  sub.lose();
  const pub = world.connect('pub', { version: 4, clean: false });
  await stored.safe();
  disk.capacityBytes = disk.usedBytes + 20;
  publish(pub, 1, 'first');
  await stored.until(() => !stored.journal.accepting);
  const queued = (): number =>
    [...world.broker.context.sessions.all()].reduce((n, s) => n + s.outbound.queued, 0);
  const before = queued();
  for (let id = 2; id <= 50; id++) publish(pub, id, `${id}`);
  pub.send(wire.PINGREQ);
  world.advance(HOUR_MS);
  assert.equal(queued(), before, 'no further message is kept in memory');
  assert.deepEqual(typesOf(pub), []);
  assert.equal(pub.closed, false, 'a client that is not read does not miss its keep alive');
  disk.capacityBytes = Number.POSITIVE_INFINITY;
  await stored.until(() => typesOf(pub).length === 51);
  assert.deepEqual(
    pub.inbox.filter(({ type }) => type === 'puback').map(({ id }) => id),
    Array.from({ length: 50 }, (_, i) => i + 1),
  );
  const again = await stored.cut();
  const back = again.world.connect('sub', FOR_EVER);
  await again.until(() => back.inbox.length === 50);
});

test('neither a full disk nor a snapshot in progress delays a stop', async () => {
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
  assert.ok(stored.lines.some((line) => line.startsWith('stopped before the last changes')));
  assert.equal((await stored.cut()).world.broker.sessionCount, 2);
});

test('a full disk is logged at once, every minute with its consequences, and when it has room again', async () => {
  const stored = await StoredBroker.start();
  const { disk, world, lines, journal } = stored;
  const sub = await subscriber(stored, 'sub', 1);
  sub.lose();
  const pub = world.connect('pub', FOR_EVER);
  const old = world.connect('old', { version: 4, clean: false });
  await stored.safe();
  disk.capacityBytes = disk.usedBytes + 5;
  publish(pub, 1, 'x');
  await stored.until(() => !journal.accepting);
  for (let id = 2; id <= 10; id++) publish(pub, id, 'x');
  publish(old, 1, 'x');
  const reports = (): string[] => lines.filter((line) => line.startsWith(FAILURE));
  assert.equal(reports().length, 1);
  for (let second = 0; second <= 61; second++) {
    const attempts = disk.writes;
    world.advance(1000);
    await stored.until(() => disk.writes > attempts, 'another attempt');
  }
  assert.equal(reports().length, 2, lines.join('\n'));
  assert.match(reports()[1] ?? '', /"folder":"memory","error":"ENOSPC: no space left on device/);
  assert.match(reports()[1] ?? '', /"seconds":6[01],"refused":10,"waiting":1}$/);
  disk.capacityBytes = Number.POSITIVE_INFINITY;
  await stored.until(() => journal.accepting);
  const over = lines.filter((line) => line.startsWith('the disk accepts changes again'));
  assert.match(over.join(), /^[^,]*"folder":"memory","seconds":62,"refused":10}$/);
});

test('a disk that is full at the start is logged in the same words as one that fills up later', async () => {
  const stored = await StoredBroker.start();
  (await subscriber(stored, 'sub', 1)).lose();
  await stored.safe();
  const left = stored.disk.powerCut(() => 0);
  left.capacityBytes = left.usedBytes + 10;
  const full = await StoredBroker.start({ disk: left });
  const attempts = left.syncs + left.writes;
  await full.until(() => left.syncs + left.writes > attempts + 3, 'further attempts');
  const reports = full.lines.filter((line) => /^(changes|snapshot)/.test(line));
  assert.equal(reports.length, 1, reports.join('\n'));
  assert.match(reports[0] ?? '', /^changes cannot .*"folder":"memory","error":"ENOSPC/);
  left.capacityBytes = Number.POSITIVE_INFINITY;
  await full.until(() => full.journal.accepting);
  assert.ok(full.lines.some((line) => line.startsWith('the disk accepts changes again')));
});

test('a node starts on a full disk with the stored sessions', async () => {
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
  await full.until(() => typesOf(pub).length > 0);
  assert.equal(pub.expect('puback').reason, 0);
  const again = await full.cut();
  const back = again.world.connect('sub', FOR_EVER);
  await again.until(() => back.inbox.length === 1);
  assert.equal(back.expect('publish').payload, 'yes');
});

test('after a failed sync a PUBLISH is acknowledged only when a snapshot contains it', async () => {
  const stored = await StoredBroker.start();
  const sub = await subscriber(stored, 'sub', 1);
  sub.lose();
  const pub = stored.world.connect('pub', { version: 4, clean: false });
  await stored.safe();
  stored.disk.isBroken = true;
  publish(pub, 1, 'x');
  await stored.until(() => stored.lines.some((line) => line.startsWith(FAILURE)));
  assert.deepEqual(typesOf(pub), []);
  stored.disk.isBroken = false;
  await stored.until(() => typesOf(pub).includes('puback'));
  const again = await stored.cut();
  const back = again.world.connect('sub', FOR_EVER);
  await again.until(() => back.inbox.length === 1);
  assert.ok(again.disk.list().length <= 3, `${again.disk.list()}`);
});

test('a client that publishes faster than the disk writes is not read until the disk has caught up', async () => {
  const stored = await StoredBroker.start();
  const { disk, world, journal } = stored;
  disk.turns = () => 20;
  const pub = world.connect('pub', { version: 4 });
  const payload = 'x'.repeat(100_000);
  let most = 0;
  for (let round = 0; round < 200; round++) {
    pub.send(wire.publish(4, { topic: `r${round}`, payload, retain: true }));
    most = Math.max(most, journal.metrics().waitingBytes);
  }
  assert.ok(most > 1_000_000 && most < 5_000_000, `${most} bytes wait`);
  await stored.until(() => world.broker.context.retained.count === 200);
  await stored.safe();
  const again = await stored.cut();
  assert.equal(again.world.broker.context.retained.count, 200);
});

test('the bytes that wait for a full disk are bounded, and a snapshot replaces them once there is room', async () => {
  const stored = await StoredBroker.start({ journal: { pendingBytesMax: 20_000 } });
  const { disk, world, journal } = stored;
  const pub = world.connect('pub', FOR_EVER);
  await stored.safe();
  disk.capacityBytes = disk.usedBytes;
  // QoS 0 cannot be refused, so its retained messages keep changing.
  for (let round = 0; round < 300; round++) {
    pub.send(
      wire.publish(5, { topic: `r${round % 50}`, payload: `${round}`.repeat(99), retain: true }),
    );
    await new Promise((next) => setImmediate(next));
  }
  await stored.until(() => stored.lines.some((line) => line.includes('too slow or full')));
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

test('a stop does not wait for a snapshot that waits for room', { timeout: 60_000 }, async () => {
  const stored = await StoredBroker.start();
  const { disk, journal, world } = stored;
  (await subscriber(stored, 'sub', 1)).lose();
  const pub = world.connect('pub', FOR_EVER);
  await stored.safe();
  const syncNames = disk.syncNames.bind(disk);
  let proceed = (): void => undefined;
  disk.syncNames = async () => {
    await new Promise<void>((resolve) => {
      proceed = resolve;
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
  proceed();
  await closing;
});

test('after a stop on a full disk nothing more is written', async () => {
  const pending = new Map<object, () => void>();
  const timers: Timers = {
    setImmediate,
    setTimeout: (work) => {
      const timer = {};
      pending.set(timer, work);
      return timer;
    },
    clearTimeout: (timer) => void pending.delete(timer as object),
  };
  const fireTimers = (): void => {
    const due = [...pending.values()];
    pending.clear();
    for (const work of due) work();
  };
  const stored = await StoredBroker.start({ journal: { timers } });
  const { disk } = stored;
  (await subscriber(stored, 'sub', 1)).lose();
  await stored.safe();
  disk.capacityBytes = disk.usedBytes;
  publish(stored.world.connect('pub', FOR_EVER), 1, 'x');
  await stored.until(() => !stored.journal.accepting);
  const { writes } = disk;
  fireTimers();
  await stored.until(() => disk.writes > writes && pending.size > 0, 'another try that fails');
  await stored.journal.close();
  assert.equal(pending.size, 0, 'no timer is left that could try again');
  assert.deepEqual(disk.misuses, []);
});

test('files that cannot be removed do no harm, and the next snapshot removes them', async () => {
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
  await stored.until(() => typesOf(pub).filter((type) => type === 'puback').length === 2);
  await turns(50);
  const again = await stored.cut();
  const back = again.world.connect('sub', FOR_EVER);
  await again.until(() => back.inbox.length === 2);
  disk.remove = remove;
  await journal.compact();
  assert.equal(disk.list().length, 2, `${disk.list()}`);
});

test('after a second disk failure during the recovery another snapshot saves the state', async () => {
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
  assert.equal(again.world.broker.context.retained.get('late')?.payload.toString(), 'x');
});

test('a disk that keeps failing leaves no files open', async () => {
  const stored = await StoredBroker.start();
  const { disk, world } = stored;
  publish(world.connect('pub', { version: 4, clean: false }), 1, 'x');
  disk.isBroken = true;
  await stored.until(() => disk.syncs > 20);
  assert.ok(disk.openFiles <= 3, `${disk.openFiles} files are open`);
});

test('when only snapshots fail, the wait between attempts doubles', async () => {
  const waits: number[] = [];
  const timers: Timers = {
    setImmediate,
    clearTimeout,
    setTimeout: (work, ms) => {
      waits.push(ms);
      return setTimeout(work, 1);
    },
  };
  const stored = await StoredBroker.start({ journal: { timers, compactBytesMin: 1, retryMs: 4 } });
  const { disk, journal } = stored;
  const create = disk.create.bind(disk);
  disk.create = (name) =>
    name.endsWith('.tmp') ? Promise.reject(new Error('ENOSPC: no space left')) : create(name);
  journal.saveRetained(message('t', 'x'));
  const pauses = (): number[] => waits.filter((ms) => ms !== LAZY_MS);
  await stored.until(() => pauses().length >= 9);
  assert.deepEqual(pauses().slice(0, 9), [4, 8, 16, 32, 64, 128, 256, 256, 256]);
});
