import assert from 'node:assert/strict';
import { performance } from 'node:perf_hooks';
import { test } from 'node:test';
import {
  encodeTroubles,
  NO_TROUBLES,
  type NodeTroubles,
  readTroubles,
  troublesKey,
} from '../../../../src/node/status/node-troubles.ts';

const NOW = Date.UTC(1980, 0, 1);
const bridge = { name: 'hq', address: 'mqtt://hq:1883', reason: 'x'.repeat(500), waiting: 3 };
const troubles: NodeTroubles = {
  disk: { folder: '/data', refusingSince: NOW - 60_000 },
  lostBridges: Array.from({ length: 9 }, () => ({ ...bridge, since: NOW - 120_000 })),
  droppedMessages: 5,
  overload: { dropped: 9, starved: 4 },
  nameRival: { address: '192.168.1.101', kind: 'copy', isHolder: false, since: NOW - 30_000 },
  unsetClock: NOW,
  links: Array.from({ length: 9 }, () => ({
    ...{ peer: 'box3', isIncoming: true, protocol: 'UDP' as const, port: 7947 },
    ...{ isBlocked: true, lossShare: 0.96789 },
  })),
  usedAddress: {
    address: '192.168.1.10',
    hardware: '02:00:00:00:00:07',
    isHeld: true,
    since: NOW - 30_000,
  },
  invalidFiles: {
    problem: `/etc/shoal/users:3: ${'x'.repeat(500)}`,
    others: 7,
    since: NOW - 9_000,
  },
};

test('troubles of a box whose clock is wrong begin at the right time by the clock of the reader', () => {
  const sent = JSON.parse(JSON.stringify(encodeTroubles(troubles, NOW)));
  const read = readTroubles(sent, performance.now());
  assert.ok(Math.abs((read.disk?.refusingSince ?? 0) - (Date.now() - 60_000)) < 1500);
  const [first] = read.lostBridges;
  assert.ok(Math.abs((first?.since ?? 0) - (Date.now() - 120_000)) < 1500);
  assert.deepEqual([first?.name, first?.waiting, read.droppedMessages], ['hq', 3, 5]);
  assert.deepEqual(read.overload, { dropped: 9, starved: 4 });
  const { address, kind } = read.nameRival ?? {};
  assert.deepEqual([address, kind], ['192.168.1.101', 'copy']);
  assert.deepEqual(read.links[0], { ...troubles.links[0], lossShare: 0.968 });
  const { usedAddress } = read;
  assert.deepEqual(
    [usedAddress?.address, usedAddress?.hardware, usedAddress?.isHeld],
    ['192.168.1.10', '02:00:00:00:00:07', true],
  );
  const { problem, others, since } = read.invalidFiles ?? {};
  assert.match(problem ?? '', /^\/etc\/shoal\/users:3: x+…$/);
  assert.ok(others === 7 && Math.abs((since ?? 0) - (Date.now() - 9_000)) < 1500);
});

test('troubles fit a datagram beside the figures, however many and long they are', () => {
  assert.ok(JSON.stringify(encodeTroubles(troubles, NOW)).length < 1000);
  assert.deepEqual(encodeTroubles(NO_TROUBLES, NOW), {});
});

test('what another version writes is read as far as it is understood', () => {
  for (const value of [
    undefined,
    7,
    'x',
    [],
    { disk: 3, bridges: 'x', dropped: -1, clock: {}, links: 1 },
  ]) {
    const { lostBridges, droppedMessages, links } = readTroubles(value, 0);
    assert.deepEqual([lostBridges, droppedMessages, links], [[], 0, []]);
  }
});

test('an age or a count that grows is no new trouble', () => {
  const later = { ...troubles, droppedMessages: 6 };
  assert.equal(troublesKey(later), troublesKey(troubles));
  assert.notEqual(troublesKey({ ...troubles, disk: undefined }), troublesKey(troubles));
  assert.notEqual(troublesKey({ ...troubles, links: [] }), troublesKey(troubles));
});
