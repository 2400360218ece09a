import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_TROUBLES, type NodeTroubles } from '../../../../src/node/status/node-troubles.ts';
import {
  judge,
  type LinkFacts,
  type NodeFacts,
  type SiteFacts,
} from '../../../../src/node/status/verdict.ts';
import { compareVersions } from '../../../../src/shared/compare-versions.ts';

const NOW = Date.UTC(2026, 10, 20, 14, 50);

function node(name: string, given: Partial<NodeFacts> = {}): NodeFacts {
  return {
    name,
    isSelf: name === 'box1',
    state: 'alive',
    since: NOW - 86_400_000,
    version: '0.4.0',
    clients: 10,
    messagesPerSecond: 70,
    loadPercent: 3,
    differingOptions: [],
    retainedDifferSince: undefined,
    clockAheadMs: 0,
    troubles: NO_TROUBLES,
    ...given,
  };
}

function link(from: string, to: string, given: Partial<LinkFacts> = {}): LinkFacts {
  const udp = { protocol: 'UDP', port: 7947, isBlocked: false, lossShare: 0 } as const;
  return { from, to, ...udp, ...given };
}

function site(given: Partial<SiteFacts> = {}): SiteFacts {
  return {
    now: NOW,
    nodes: [node('box1'), node('box2'), node('box3')],
    links: [link('box1', 'box2'), link('box2', 'box1')],
    otherLinks: [],
    strangers: [],
    isClustered: true,
    expectsOthers: true,
    ...given,
  };
}

/** The three boxes, with one of them changed. */
function withBox(name: string, change: Partial<NodeFacts>): SiteFacts {
  return site({
    nodes: site().nodes.map((one) => (one.name === name ? { ...one, ...change } : one)),
  });
}

test('a dead link between two other boxes is a fault on every box', () => {
  const { level, sentence } = judge(
    site({ otherLinks: [link('box2', 'box3', { isBlocked: true, lossShare: 0.97 })] }),
  );
  assert.equal(level, 'fault');
  assert.match(sentence, /box3 does not hear box2, which hears box3: UDP 7947 is blocked on box3/);
});

test('a box that waits for others beside a box with another token is not well', () => {
  const alone = { links: [], expectsOthers: false, strangers: ['192.168.1.103'] };
  const { level, sentence } = judge(site({ nodes: [node('box1')], ...alone }));
  assert.equal(level, 'warning');
  assert.match(sentence, /a box at 192\.168\.1\.103 has another token or cluster name/);
  // Two sites may share a network.
  assert.equal(judge(site(alone)).level, 'well');
});

test('what is wrong on another box is said with its name, and mended there', () => {
  const disk = { folder: '/data', refusingSince: NOW - 61_000 };
  const bridge = { name: 'hq', address: 'mqtt://hq:1883', reason: 'refused', waiting: 1 };
  const lostBridges = [{ ...bridge, since: NOW - 60_000 }];
  const overload = { dropped: 20, starved: 20 };
  const lost = { lostBridges, droppedMessages: 7, overload };
  const troubles = { ...NO_TROUBLES, disk, ...lost, unsetClock: 0 };
  const { faults } = judge(withBox('box2', { troubles }));
  assert.deepEqual(
    faults.map(({ text, cure }) => `${text} | ${cure}`),
    [
      'the disk on box2 has taken no changes for 1 min 1 s: publishers are refused or wait | on box2: df -h /data   # free some space there',
      'the bridge hq on box2 has not reached mqtt://hq:1883 for 1 min (refused); 1 message waiting | on box2: shoal doctor   # names the cause, and how to mend it',
      'full queues on box2 dropped 7 messages in the last minute | shoal top names slow subscribers',
      '20 messages of other boxes were lost on box2 in the last minute: other programs use the processor | on box2: top   # which programs use the processor? in a container, is its limit too low?',
      'the clock on box2 says 1970-01-01 | on box2: timedatectl set-ntp true',
    ],
  );
  // A box that is gone is missed, whatever it said before.
  const gone = judge(withBox('box2', { troubles, state: 'offline' }));
  assert.deepEqual(
    gone.faults.map(({ code }) => code),
    ['offline'],
  );
});

test('a site that is well is one sentence with its figures', () => {
  const verdict = judge(site());
  assert.deepEqual(verdict, {
    level: 'well',
    sentence: 'All well: 3 boxes online, 30 devices, 210 messages/s, loss 0.00 %.',
    faults: [],
  });
  const alone = site({ nodes: [node('box1', { clients: 1 })], links: [], expectsOthers: false });
  assert.equal(
    judge({ ...alone, isClustered: false }).sentence,
    'All well: 1 box online, 1 device, 70 messages/s.',
  );
  assert.equal(
    judge(alone).sentence,
    'All well: 1 box online, waiting for others, 1 device, 70 messages/s.',
  );
});

test('the loss of the sentence is that of the worst direction', () => {
  const links = [link('box1', 'box2', { lossShare: 0.0004 }), link('box2', 'box1')];
  assert.match(judge(site({ links })).sentence, /^All well: .* loss 0\.04 %\.$/);
});

test('a node that left on purpose is not missed', () => {
  const verdict = judge(withBox('box3', { state: 'left' }));
  assert.equal(
    verdict.sentence,
    'All well: 2 boxes online, 20 devices, 140 messages/s, loss 0.00 %.',
  );
});

/** The three boxes, with something wrong on one of them. */
function troubled(name: string, troubles: Partial<NodeTroubles>): SiteFacts {
  return withBox(name, { troubles: { ...NO_TROUBLES, ...troubles } });
}

/** Each fault alone, from the worst; the sentence, the level and a part of the cure. */
const RIVAL = {
  address: '192.168.1.109',
  kind: 'copy',
  isHolder: false,
  since: NOW - 30_000,
} as const;

const USED = { address: '192.168.1.10', hardware: '02:00:00:00:00:07', since: NOW - 30_000 };

const FAULTS: readonly (readonly [string, SiteFacts, 'fault' | 'warning', string, RegExp])[] = [
  [
    'a disk that takes nothing',
    troubled('box1', { disk: { folder: '/data', refusingSince: NOW - 61_000 } }),
    'fault',
    'The disk has taken no changes for 1 min 1 s: publishers are refused or wait.',
    /^df -h \/data/,
  ],
  [
    'no other node ever',
    site({ nodes: [node('box1')], links: [] }),
    'fault',
    'No other box has answered yet.',
    /^shoal doctor$/,
  ],
  [
    'all other nodes left on purpose',
    site({ nodes: [node('box1'), node('box2', { state: 'left' })], links: [] }),
    'warning',
    'Every other box has left.',
    /^start one of them, or this one without -mbs$/,
  ],
  [
    'all other nodes gone',
    site({
      nodes: [
        node('box1'),
        node('box2', { state: 'offline', since: NOW - 8000 }),
        node('box3', { state: 'offline', since: NOW - 9000 }),
      ],
    }),
    'fault',
    'No other box answers: box2 and box3 have been gone for 9 s.',
    /^shoal doctor$/,
  ],
  [
    'one node gone',
    withBox('box2', { state: 'offline', since: NOW - 252_000 }),
    'fault',
    'box2 has been gone for 4 min 12 s.',
    /shoal forget box2$/,
  ],
  [
    'a port blocked in one direction',
    site({ links: [link('box3', 'box1', { isBlocked: true }), link('box1', 'box3')] }),
    'fault',
    'box1 does not hear box3, which hears box1: UDP 7947 is blocked on box1.',
    /^on box1: ufw allow 7947\/udp/,
  ],
  [
    'a port blocked in both directions',
    site({
      links: [link('box3', 'box1', { isBlocked: true }), link('box1', 'box3', { isBlocked: true })],
    }),
    'fault',
    'box1 and box3 do not hear each other on UDP 7947.',
    /^on box1 and box3: ufw/,
  ],
  [
    'connections blocked in one direction',
    site({ links: [link('box1', 'box3', { protocol: 'TCP', isBlocked: true })] }),
    'fault',
    'box1 does not connect to box3 on TCP 7947, which -large and -roaming need.',
    /^on box3: ufw allow 7947\/tcp/,
  ],
  [
    'connections blocked in both directions',
    site({
      links: [
        link('box1', 'box3', { protocol: 'TCP', isBlocked: true }),
        link('box3', 'box1', { protocol: 'TCP', isBlocked: true }),
      ],
    }),
    'fault',
    'box1 and box3 do not connect to each other on TCP 7947, which -large and -roaming need.',
    /^on box1 and box3: ufw allow 7947\/tcp/,
  ],
  [
    'other options',
    withBox('box2', { differingOptions: ['-shared=cluster'] }),
    'fault',
    'box2 runs with other options than this box: -shared=cluster.',
    /restart/,
  ],
  [
    'much loss',
    site({ links: [link('box1', 'box2', { lossShare: 0.013 })] }),
    'fault',
    '1.30 % of the messages from box1 to box2 were lost in the last minute.',
    /^on box2: shoal doctor/,
  ],
  [
    'some loss',
    site({ links: [link('box1', 'box2', { lossShare: 0.002 })] }),
    'warning',
    '0.20 % of the messages from box1 to box2 were lost in the last minute.',
    /shoal doctor/,
  ],
  [
    'a suspect node',
    withBox('box3', { state: 'suspect', since: NOW - 2000 }),
    'warning',
    'box3 has not answered for 2 s and is being checked.',
    /wait/,
  ],
  [
    'other retained messages on a node',
    withBox('box3', { retainedDifferSince: NOW - 42_000 }),
    'warning',
    'box3 has had other retained messages than this box for 42 s.',
    /shoal ping box3/,
  ],
  [
    'dropped messages',
    troubled('box1', { droppedMessages: 1 }),
    'warning',
    'Full queues dropped 1 message in the last minute.',
    /shoal top/,
  ],
  [
    'messages of other boxes that are too much work',
    troubled('box1', { overload: { dropped: 20, starved: 3 } }),
    'warning',
    '20 messages of other boxes were lost here in the last minute: they are more work than the node has time for.',
    /shoal top/,
  ],
  [
    'a busy node',
    withBox('box2', { loadPercent: 97 }),
    'warning',
    'box2 is busy for 97 % of its time.',
    /shoal top/,
  ],
  [
    'a box whose disk is a copy of this one',
    troubled('box1', { nameRival: RIVAL }),
    'fault',
    'the box at 192.168.1.109 tried to join 30 s ago under the name box1, which is in use: its disk is a copy of the one of this box.',
    /^on 192\.168\.1\.109: set another -nid, empty the folder of -data, and run: rm \/etc\/machine-id.*; in a container on the same machine another -nid is enough/,
  ],
  [
    'a box that has lost its name to the box of which it is a copy',
    troubled('box1', { nameRival: { ...RIVAL, isHolder: true } }),
    'fault',
    'this box has not been in the cluster for 30 s: its name box1 is in use by the box at 192.168.1.109, and the disk of this box is a copy of the one there.',
    /^set another -nid/,
  ],
  [
    'a box with a copied data folder that has lost its name',
    troubled('box1', { nameRival: { ...RIVAL, kind: 'folder', isHolder: true } }),
    'fault',
    'this box has not been in the cluster for 30 s: its name box1 is in use by the box at 192.168.1.109, and the data folder of this box comes from another machine.',
    /^stop the node there if this box replaces it; .*empty the folder of -data/,
  ],
  [
    'a name that two boxes have by mistake',
    troubled('box1', { nameRival: { ...RIVAL, kind: 'other' } }),
    'fault',
    'the box at 192.168.1.109 tried to join 30 s ago under the name box1, which is in use.',
    /^on 192\.168\.1\.109: choose another name with -nid/,
  ],
  [
    'an address of the clients that another host uses',
    troubled('box1', {
      usedAddress: { ...USED, isHeld: false },
    }),
    'fault',
    'another host (02:00:00:00:00:07) has used the address of the clients 192.168.1.10 for 30 s: the node of this box does not take it.',
    /turn that host off.*free -address/,
  ],
  [
    'an address of the clients that another host takes after its holder',
    troubled('box1', { usedAddress: { ...USED, isHeld: true } }),
    'fault',
    'another host (02:00:00:00:00:07) has used the address of the clients 192.168.1.10 for 30 s: the node of this box has it too.',
    /turn that host off/,
  ],
  [
    'a file that is wrong after a change',
    troubled('box1', {
      invalidFiles: { problem: '/etc/users:2: no colon', others: 2, since: NOW - 30_000 },
    }),
    'fault',
    '/etc/users:2: no colon, and 2 more problems: the last valid version stays in force.',
    /^correct the file/,
  ],
  [
    'a clock that was never set',
    troubled('box1', { unsetClock: 0 }),
    'warning',
    'the clock of this box says 1970-01-01.',
    /^timedatectl/,
  ],
  [
    'a clock that was set to another time',
    withBox('box3', { clockAheadMs: -2 * 3_600_000 }),
    'warning',
    'the clock of box3 is 2 h behind the others.',
    /^on box3: timedatectl/,
  ],
  [
    'two clocks of which one is wrong',
    site({ nodes: [node('box1', { clockAheadMs: -7_200_000 }), node('box2')] }),
    'warning',
    'the clock of box2 is 2 h ahead of the one of box1.',
    /^on each box: timedatectl/,
  ],
  [
    'an older version',
    withBox('box3', { version: '0.3.2' }),
    'warning',
    'box3 (0.3.2) runs an older version than the others (0.4.0).',
    /^copy shoal.js 0.4.0 to box3/,
  ],
];

for (const [name, facts, level, sentence, cure] of FAULTS) {
  test(`${name}: the sentence names it, and what to do`, () => {
    const verdict = judge(facts);
    assert.equal(verdict.sentence.toLowerCase(), sentence.toLowerCase());
    assert.equal(verdict.level, level);
    assert.equal(verdict.faults.length, 1);
    assert.match(verdict.faults[0]?.cure ?? '', cure);
  });
}

test('the worst fault comes first, and the others are counted', () => {
  const disk = { folder: '/data', refusingSince: NOW - 1000 };
  const verdict = judge({
    ...site({
      nodes: [
        node('box1', { troubles: { ...NO_TROUBLES, disk } }),
        node('box2'),
        node('box3', { state: 'suspect', version: '0.3.2', since: NOW - 1000 }),
      ],
    }),
    links: [link('box1', 'box2', { lossShare: 0.5 }), link('box2', 'box1', { lossShare: 0.002 })],
  });
  assert.deepEqual(
    verdict.faults.map(({ code, severity }) => `${severity} ${code}`),
    ['fault disk', 'fault loss', 'warning loss', 'warning suspect'],
  );
  assert.match(verdict.sentence, /^The disk has taken no changes .*\. 3 more faults\.$/);
});

test('retained messages that differ for a short time, or behind a blocked port, are no fault of their own', () => {
  assert.equal(judge(withBox('box3', { retainedDifferSince: NOW - 20_000 })).level, 'well');
  const cut = withBox('box3', { retainedDifferSince: NOW - 90_000 });
  const { faults } = judge({ ...cut, links: [link('box1', 'box3', { isBlocked: true })] });
  assert.deepEqual(
    faults.map(({ code }) => code),
    ['blocked'],
  );
});

test('a name of a node keeps its letters at the beginning of the sentence', () => {
  const nodes = [node('box1'), node('nothing', { state: 'suspect', since: NOW - 1000 })];
  assert.match(judge(site({ nodes })).sentence, /^nothing has not answered for 1 s/);
});

test('versions compare by their numbers', () => {
  assert.deepEqual(['0.10.0', '0.9.2', '0.9.10'].sort(compareVersions), [
    '0.9.2',
    '0.9.10',
    '0.10.0',
  ]);
});

test('a bridge that does not reach its far side is a fault after half a minute', () => {
  const lost = {
    name: 'hq',
    address: 'mqtts://hq.example:8883',
    reason: 'nothing listens on that port',
    waiting: 1234,
  };
  const soon = judge(troubled('box1', { lostBridges: [{ ...lost, since: NOW - 20_000 }] }));
  assert.equal(soon.level, 'well');
  const { sentence, faults } = judge(
    troubled('box1', { lostBridges: [{ ...lost, since: NOW - 300_000 }] }),
  );
  assert.equal(
    sentence,
    'The bridge hq has not reached mqtts://hq.example:8883 for 5 min (nothing listens on that port); 1,234 messages waiting.',
  );
  assert.equal(faults[0]?.code, 'bridge');
});
