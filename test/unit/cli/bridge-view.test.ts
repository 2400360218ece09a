import assert from 'node:assert/strict';
import { test } from 'node:test';
import { paintFor } from '../../../src/cli/terminal/paint.ts';
import { bridgeLines } from '../../../src/cli/views/bridge-view.ts';
import type { BridgeView } from '../../../src/http/node-api.ts';
import { NOW } from './site-fixture.ts';

const plain = paintFor({ environment: {}, outputIsTerminal: false });

const active: BridgeView = {
  name: 'hq',
  node: 'box1',
  state: 'connected',
  since: NOW - 7_200_000,
  address: 'mqtts://hq.example:8883',
  mqtt: '5.0',
  reason: null,
  lostSince: null,
  retryAt: null,
  queued: 0,
  queuedBytes: 0,
  inflight: 3,
  oldest: NOW - 1_000,
  sent: 90_000,
  received: 12,
  dropped: 0,
  sentPerSecond: 120.5,
  receivedPerSecond: 0,
  droppedPerSecond: 0,
  farSide: null,
};

test('the list of bridges, with the reason of the one that is lost', () => {
  const standby: BridgeView = {
    ...active,
    node: 'box2',
    state: 'standby',
    inflight: 0,
    oldest: null,
  };
  const lost: BridgeView = {
    ...active,
    name: 'cloud',
    state: 'waiting',
    since: NOW - 8_000,
    reason: 'refused: wrong user name or password (0x86)',
    lostSince: NOW - 600_000,
    retryAt: NOW + 52_000,
    queued: 1_500,
    queuedBytes: 96_000,
    inflight: 0,
    oldest: NOW - 600_000,
    sentPerSecond: 0,
    dropped: 20,
  };
  assert.equal(
    bridgeLines([active, standby, lost], NOW, plain, 140).join('\n'),
    `BRIDGE  NODE  FAR SIDE                 STATE      SINCE  WAITING   SIZE  OLDEST  OUT/S  IN/S  DROPPED
hq      box1  mqtts://hq.example:8883  connected  2 h          3      -     1 s    121     0        0
hq      box2  mqtts://hq.example:8883  standby    2 h          0      -       -      -     -        0
cloud   box1  mqtts://hq.example:8883  waiting    8 s      1,500  96 KB  10 min      0     0       20

cloud on box1  lost for 10 min: refused: wrong user name or password (0x86); next attempt in 52 s`,
  );
  assert.deepEqual(bridgeLines([], NOW, plain, 80), [
    'no bridge: [[bridge]] in the file of -config makes one',
  ]);
});
