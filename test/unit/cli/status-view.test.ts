import assert from 'node:assert/strict';
import { test } from 'node:test';
import { paintFor } from '../../../src/cli/terminal/paint.ts';
import { statusLines } from '../../../src/cli/views/status-view.ts';
import type { BridgeView } from '../../../src/http/node-api.ts';
import { box, faultySite, NOW, wellSite } from './site-fixture.ts';

const plain = paintFor({ environment: {}, outputIsTerminal: false });

function screen(site = wellSite(), columns = 100): string {
  return statusLines(site, NOW, plain, columns).join('\n');
}

test('the screen of a site that is well', () => {
  assert.equal(
    screen(),
    `All well: 3 boxes online, 54 devices, 240 messages/s, loss 0.00 %.

NODE    ADDRESS        STATE   SINCE      RTT  LOSS out/in  DEVICES  MSG/S  LOAD  VERSION
box1 *  192.168.1.100  online  12 d         -            -       17     80   3 %  0.4.0
box2    192.168.1.101  online  12 d   0.40 ms    0.00/0.00       18     80   3 %  0.4.0
box3    192.168.1.102  online  12 d   0.40 ms    0.00/0.00       19     80   3 %  0.4.0
* this box

retained  412 messages, equal on all boxes
devices   connect to mqtt://192.168.1.100:1883 or ws://192.168.1.100:9001/mqtt`,
  );
});

test('the screen of a site with faults has each with its cure', () => {
  assert.equal(
    screen(faultySite()),
    `box3 has not answered for 2 s and is being checked. 1 more fault.

warning  box3 has not answered for 2 s and is being checked
         mend: wait
warning  box3 (0.3.2) runs an older version than the others (0.4.0)
         mend: copy shoal.js 0.4.0 to box3

NODE    ADDRESS        STATE    SINCE      RTT  LOSS out/in  DEVICES  MSG/S  LOAD  VERSION
box1 *  192.168.1.100  online   12 d         -            -       17     80   3 %  0.4.0
box2    192.168.1.101  online   12 d   0.40 ms    0.00/0.20       18     80   3 %  0.4.0
box3    192.168.1.102  suspect  2 s          -    0.00/0.00       19     80     -  0.3.2
* this box

retained  412 messages, equal on all boxes
devices   connect to mqtt://192.168.1.100:1883 or ws://192.168.1.100:9001/mqtt`,
  );
});

test('a site with -sync=multicast says which boxes multicast reaches', () => {
  const nodes = [
    box(1),
    box(2, { delivery: 'multicast' }),
    box(3, { delivery: 'unicast' }),
    box(4, { delivery: 'multicast' }),
  ];
  const lines = screen({ ...wellSite(), nodes }).split('\n');
  assert.ok(lines.includes('messages  go by multicast to box2 and box4, by unicast to box3'));
});

test('nodes that share an address are shown with their ports, and an offline one without figures', () => {
  const nodes = [
    box(1, { address: '127.0.0.1:7946' }),
    box(2, { address: '127.0.0.1:7956', state: 'offline', since: NOW - 252_000 }),
  ];
  const [, , , first, second] = screen({ ...wellSite(), nodes }).split('\n');
  assert.match(first ?? '', /^box1 \* {2}127\.0\.0\.1:7946 {2}online/);
  assert.match(second ?? '', /^box2 +127\.0\.0\.1:7956 +offline +4 min 12 s( +-){5} +0\.4\.0$/);
});

test('a single node has no mark, and no other node to be equal with', () => {
  const lines = screen({ ...wellSite(), nodes: [box(1, { address: null })] }).split('\n');
  assert.match(lines[3] ?? '', /^box1 \* {2}- +online/);
  assert.equal(lines[5], 'retained  412 messages');
});

test('retained messages: where they differ, and for how long', () => {
  const retained = (since: number | null, isReplicated = true): string => {
    const nodes = [box(1), box(2), box(3, { retainedDifferSince: since })];
    const summary = { retained: { count: 1, isReplicated }, clientUrls: [] };
    return /^retained +(.*)$/m.exec(screen({ ...wellSite(), nodes, summary }))?.[1] ?? '';
  };
  assert.equal(retained(NOW - 4000), '1 message, equal on all boxes up to 4 s ago');
  assert.equal(retained(NOW - 42_000), '1 message on this box; others on box3 for 42 s');
  assert.equal(retained(null, false), '1 message on this box (-retained-sync is off)');
});

test('the address of all devices has a line that names the box that holds it', () => {
  const place = '192.168.1.10';
  let onlineSince = NOW - 60_000;
  const address = (isOwn: boolean, ...holds: boolean[]): string[] => {
    const clientAddresses = (isHere: boolean) => (isHere ? [place] : []);
    const nodes = holds.map((isHeld, index) =>
      box(index + 1, { since: onlineSince, clientAddresses: clientAddresses(isHeld) }),
    );
    const summary = { ...wellSite().summary!, clientAddresses: clientAddresses(isOwn) };
    const lines = screen({ ...wellSite(), nodes, summary }).split('\n');
    return lines.filter((line) => line.startsWith('address'));
  };
  const held = `address   ${place} for all devices, held by`;
  assert.deepEqual(address(true, false, true), [`${held} box2`]);
  assert.deepEqual(address(false, false, true), [`${held} box2`]);
  assert.deepEqual(address(true, false, false), [`${held} no box`]);
  onlineSince = NOW - 8_000;
  assert.deepEqual(address(true, false, false), [`${held} no box yet: all have just started`]);
  assert.deepEqual(address(true, true, true), [`${held} box1 and box2`]);
  assert.deepEqual(address(false, false, false), []);
});

test('clients connect to the node, or to the name that leads to a live one', () => {
  const clientUrls = ['mqtt://192.168.1.100:1883'];
  const retained = { count: 1, isReplicated: true };
  const summary = { retained, clientUrls, siteNames: ['shoal.local'] };
  const text = screen({ ...wellSite(), summary });
  assert.match(text, /^devices +connect to mqtt:\/\/192\.168\.1\.100:1883 or shoal\.local$/m);
});

test('each bridge has a line, as the node has it that runs it', () => {
  const bridge = (node: string, given: Partial<BridgeView>): BridgeView =>
    ({
      name: 'hq',
      node,
      state: 'standby',
      since: NOW - 60_000,
      address: 'mqtts://hq.example:8883',
      lostSince: null,
      queued: 0,
      inflight: 0,
      ...given,
    }) as BridgeView;
  const lines = (...bridges: BridgeView[]): string[] =>
    screen({ ...wellSite(), bridges })
      .split('\n')
      .filter((line) => line.startsWith('bridge'));
  assert.deepEqual(lines(bridge('box1', {}), bridge('box2', { state: 'connected' })), [
    'bridge    hq on box2 connected to mqtts://hq.example:8883 for 1 min, 0 messages waiting',
  ]);
  const lost = { state: 'waiting', lostSince: NOW - 300_000, queued: 1200, inflight: 34 } as const;
  assert.deepEqual(lines(bridge('box1', lost), bridge('box2', {})), [
    'bridge    hq on box1 not connected to mqtts://hq.example:8883 for 5 min, 1,234 messages waiting',
  ]);
  assert.deepEqual(lines(bridge('box1', {}), bridge('box2', {})), ['bridge    no box runs hq']);
});

test('a node that is older than this command has no such lines', () => {
  const { verdict, nodes } = wellSite();
  assert.match(screen({ verdict, nodes }), /this box$/);
});

test('a box with another token has a line', () => {
  const site = { ...wellSite(), strangers: [{ address: '192.168.1.66', since: NOW }] };
  const line = 'a box at 192.168.1.66 uses another token or cluster name';
  assert.equal(screen(site).split('\n').at(-1), line);
});

test('80 columns show each box whole, in the order of the names, without the version', () => {
  const nodes = [box(10), box(2), box(1)];
  const lines = screen({ ...wellSite(), nodes }, 80).split('\n');
  assert.deepEqual(lines.slice(2, 6), [
    'NODE    ADDRESS        STATE   SINCE      RTT  LOSS out/in  DEVICES  MSG/S  LOAD',
    'box1 *  192.168.1.100  online  12 d         -            -       17     80   3 %',
    'box2    192.168.1.101  online  12 d   0.40 ms    0.00/0.00       18     80   3 %',
    'box10   192.168.1.109  online  12 d   0.40 ms    0.00/0.00       26     80   3 %',
  ]);
});

test('a narrow terminal cuts names and wraps no line', () => {
  const nodes = [box(1, { name: 'a-box-with-a-very-long-name-in-the-cellar' }), box(2)];
  for (const line of screen({ ...wellSite(), nodes }, 90)
    .split('\n')
    .slice(2, -3)) {
    assert.ok(line.length <= 90, line);
  }
});
