import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { sentEvents } from '../../../src/cli/event-source.ts';
import { paintFor } from '../../../src/cli/terminal/paint.ts';
import { eventLine, type NodeEvent } from '../../../src/cli/views/event-words.ts';
import { PastEvents } from '../../../src/cli/views/past-events.ts';
import { topLines } from '../../../src/cli/views/top-view.ts';
import { traceLine } from '../../../src/cli/views/trace-line.ts';
import type { ClientView } from '../../../src/http/node-api.ts';
import { wordsOfEvent } from '../../../src/shared/event-words.ts';
import { MessageRateMeter } from '../../../src/shared/message-rates.ts';
import { box, NOW, wellSite } from './site-fixture.ts';

const plain = paintFor({ environment: {}, outputIsTerminal: false });
const LOCAL = new Date(2026, 10, 20, 14, 52, 10, 113).getTime();

function event(name: string, fields: NodeEvent['fields'] = {}): NodeEvent {
  return { node: 'box1', at: LOCAL, level: 'info', event: name, fields };
}

function clientWith(id: string, queued: number, sent = 0): ClientView {
  return {
    id,
    node: 'box2',
    user: null,
    isConnected: true,
    address: null,
    listener: null,
    mqtt: null,
    since: NOW - 252_000,
    expirySeconds: 0,
    subscriptions: 1,
    queued,
    inflight: 0,
    isCongested: false,
    publishReceived: 0,
    publishSent: sent,
  };
}

test('events of nodes are sentences, and others are shown as the log has them', () => {
  for (const [given, words] of [
    [
      event('cluster offline box3 192.168.1.102:7946', { reason: 'no answer in 3 periods' }),
      'box3 is offline: no answer in 3 periods',
    ],
    [
      event('cluster suspect box3 192.168.1.102:7946', { reason: 'suspected, says box2' }),
      'box3 is suspect, says box2',
    ],
    [
      event('cluster online box3 192.168.1.102:7946', { reason: 'refuted, says box2' }),
      'box3 is online: refuted, says box2',
    ],
    [
      event('client connected', { client: 't7', user: 'ann', from: '10.0.0.7', mqtt: '5.0' }),
      't7 connected as ann from 10.0.0.7, MQTT 5.0',
    ],
    [
      event('client disconnected', { client: 't7', reason: 'DISCONNECT' }),
      't7 disconnected: DISCONNECT',
    ],
    [
      event('connection refused', { client: 't7', from: '10.0.0.7', reason: 'wrong password' }),
      't7 was refused: wrong password',
    ],
    [event('snapshot written', { bytes: 17, file: 'a b' }), 'snapshot written bytes=17 file="a b"'],
    [event('changed over the API', { by: 'control', from: '' }), 'changed over the API by=control'],
  ] as const) {
    assert.equal(wordsOfEvent(given), words);
  }
  assert.equal(eventLine(event('stopping\u001b[2J')), '14:52:10  box1    stopping\\u001b[2J');
});

test('past events of all boxes are shown in the order of their times, later ones at once', () => {
  const shown: string[] = [];
  const events = new PastEvents((line) => shown.push(line));
  for (const [at, line] of [
    [3, 'box1 late'],
    [1, 'box2 early'],
    [2, 'box2 middle'],
  ] as const) {
    events.add({ at, line });
  }
  assert.deepEqual(shown, []);
  events.end();
  events.add({ at: 0, line: 'box3 with a slow clock' });
  events.end();
  assert.deepEqual(shown, ['box2 early', 'box2 middle', 'box1 late', 'box3 with a slow clock']);
});

test('a traced packet is one line', () => {
  const packet = {
    node: 'box2',
    at: LOCAL,
    client: 'thermo7',
    direction: 'in',
    bytes: 20,
  } as const;
  const publish = { ...packet, type: 'PUBLISH', qos: 1, packetId: 12, topic: 'home/t7' };
  assert.equal(
    traceLine({ ...publish, payloadBytes: 17, payload: '21.4\n' }),
    '14:52:10.113  box2   <- thermo7    PUBLISH     q1 #12 home/t7 17 B "21.4\\u000a"',
  );
  assert.equal(
    traceLine({ ...packet, direction: 'out', type: 'PUBACK', packetId: 12, reason: 'success' }),
    '14:52:10.113  box2   -> thermo7    PUBACK      #12 success',
  );
  assert.equal(
    traceLine({ ...packet, type: 'PINGREQ' }),
    '14:52:10.113  box2   <- thermo7    PINGREQ',
  );
  assert.equal(
    traceLine({ ...packet, type: 'CLOSED', detail: 'connection lost' }),
    '14:52:10.113  box2   -- thermo7    CLOSED      connection lost',
  );
});

/** Clients, the last of which has been sent so many messages. */
function busy(sent: number): ClientView[] {
  return [
    clientWith('idle', 0),
    clientWith('slow', 12),
    clientWith('slower', 1000),
    clientWith('wall', 0, sent),
  ];
}

test('top shows ten boxes by a figure, and the clients that wait and those that are busiest', () => {
  const nodes = Array.from({ length: 10 }, (_, index) =>
    box(index + 1, { receivedPerSecond: 100 * ((index * 7) % 10), load: index }),
  );
  const view = { ...wellSite(), nodes, clients: busy(100), clientsTotal: 2_000 };
  const rates = new MessageRateMeter();
  rates.look(busy(0), 0);
  rates.look(busy(100), 2_000);
  const size = { rows: 24, columns: 100 };
  assert.equal(
    topLines(view, rates, 'i', NOW, plain, size).join('\n'),
    `All well: 3 boxes online, 54 devices, 240 messages/s, loss 0.00 %.
sorted by in;  keys: n name, d devices, i in, o out, l load, r RTT, q quit

NODE    STATE   DEVICES  SESSIONS  IN/S  OUT/S  LOAD  RTT ms  LOSS out/in %  VERSION
box8    online       24        20   900    160   7 %    0.40      0.00/0.00  0.4.0
box5    online       21        20   800    160   4 %    0.40      0.00/0.00  0.4.0
box2    online       18        20   700    160   1 %    0.40      0.00/0.00  0.4.0
box9    online       25        20   600    160   8 %    0.40      0.00/0.00  0.4.0
box6    online       22        20   500    160   5 %    0.40      0.00/0.00  0.4.0
box3    online       19        20   400    160   2 %    0.40      0.00/0.00  0.4.0
box10   online       26        20   300    160   9 %    0.40      0.00/0.00  0.4.0
box7    online       23        20   200    160   6 %    0.40      0.00/0.00  0.4.0
box4    online       20        20   100    160   3 %    0.40      0.00/0.00  0.4.0
box1 *  online       17        20     0    160   0 %       -              -  0.4.0

CLIENT  NODE  IN/S  OUT/S  QUEUE  UNACKED  SINCE
slower  box2     0      0  1,000        0  4 min 12 s
slow    box2     0      0     12        0  4 min 12 s
wall    box2     0     50      0        0  4 min 12 s
of the first 4 of 2,000 clients`,
  );
  const names = (order: 'n' | 'l'): string[] =>
    topLines(view, rates, order, NOW, plain, size).flatMap(
      (line) => /^(box\d+)/.exec(line)?.[1] ?? [],
    );
  assert.deepEqual(names('n').slice(0, 3), ['box1', 'box2', 'box3']);
  assert.deepEqual(names('l').slice(0, 3), ['box10', 'box9', 'box8']);
});

test('top leaves boxes out rather than scroll, and says how many', () => {
  const nodes = Array.from({ length: 40 }, (_, index) => box(index + 1));
  const view = { ...wellSite(), nodes, clients: [], clientsTotal: 0 };
  const size = { rows: 20, columns: 80 };
  const lines = topLines(view, new MessageRateMeter(), 'n', NOW, plain, size);
  assert.ok(lines.length < 20);
  const shown = lines.filter((line) => /^box/.test(line)).length;
  assert.ok(lines.includes(`${40 - shown} more boxes`), lines.join('\n'));
});

test('server-sent events are read wherever the chunks end, and comments are skipped', async () => {
  const text =
    ': open\n\nevent: log\ndata: {"a":1}\n\n: keep\n\nevent: dropped\ndata: {"count":2}\n\n';
  const chunks = Readable.from([...text].map((character) => Buffer.from(character)));
  const events: unknown[] = [];
  for await (const one of sentEvents(chunks)) events.push(one);
  assert.deepEqual(events, [
    { event: 'log', data: { a: 1 } },
    { event: 'dropped', data: { count: 2 } },
  ]);
});
