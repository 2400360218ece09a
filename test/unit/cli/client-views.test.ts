import assert from 'node:assert/strict';
import { test } from 'node:test';
import { paintFor } from '../../../src/cli/terminal/paint.ts';
import {
  clientDetailLines,
  clientLines,
  retainedLines,
} from '../../../src/cli/views/client-views.ts';
import type { ClientView, RetainedView } from '../../../src/http/node-api.ts';
import { MessageRateMeter } from '../../../src/shared/message-rates.ts';
import { NOW } from './site-fixture.ts';

const plain = paintFor({ environment: {}, outputIsTerminal: false });

const thermo: ClientView = {
  id: 'thermo7',
  node: 'box2',
  user: 'ann',
  isConnected: true,
  address: '192.168.1.70:50123',
  listener: '[::]:1883',
  mqtt: '5.0',
  since: NOW - 252_000,
  expirySeconds: 600,
  subscriptions: 2,
  queued: 12,
  inflight: 1,
  isCongested: true,
  publishReceived: 4_240,
  publishSent: 17,
};
const away: ClientView = {
  ...thermo,
  id: 'phone\u001b[2J',
  user: null,
  isConnected: false,
  address: null,
  listener: null,
  mqtt: null,
  since: null,
  queued: 0,
  inflight: 0,
  isCongested: false,
  publishReceived: null,
  publishSent: null,
};

/** It has seen the clients two seconds before, and now. */
function metered(): MessageRateMeter {
  const rates = new MessageRateMeter();
  rates.look([{ ...thermo, publishReceived: 4_000, publishSent: 16 }, away], 5_000);
  rates.look([thermo, away], 7_000);
  return rates;
}

test('the list of clients', () => {
  assert.equal(
    clientLines([thermo, away], 5, metered(), NOW, plain, 120).join('\n'),
    `CLIENT          NODE  USER  ADDRESS             SINCE       IN/S  OUT/S  QUEUE  UNACKED  SUBS  MQTT
thermo7         box2  ann   192.168.1.70:50123  4 min 12 s   120    0.5     12        1     2  5.0
phone\\u001b[2J  box2  -     not connected       -              -      -      0        0     2  -
3 more; -limit shows them`,
  );
  assert.deepEqual(clientLines([], 0, metered(), NOW, plain, 80), ['no client matches']);
});

test('the list of clients fits 80 columns without those that matter least', () => {
  const client = { ...thermo, id: 'thermometer-in-the-barn-7' };
  assert.equal(
    clientLines([client], 1, new MessageRateMeter(), NOW, plain, 80).join('\n'),
    `CLIENT            NODE  USER  ADDRESS             SINCE       IN/S  OUT/S  QUEUE
thermometer-in-…  box2  ann   192.168.1.70:50123  4 min 12 s     -      -     12`,
  );
});

test('a client that has connected anew since the first look has no rate yet', () => {
  const rates = metered();
  rates.look(
    [{ ...thermo, address: '192.168.1.70:50999', publishReceived: 3, publishSent: 0 }],
    9_000,
  );
  assert.equal(rates.of(thermo), undefined);
});

test('one client with its session, queue and subscriptions', () => {
  const head = { client: 'thermo7', node: 'box2' };
  const detail = {
    client: thermo,
    subscriptions: [
      { ...head, filter: 'home/+/set', qos: 1, noLocal: true, retainAsPublished: false },
      { ...head, filter: '#', qos: 0, noLocal: false, retainAsPublished: true },
    ],
    deliveries: [{ topic: 'home/t7/set', qos: 1, bytes: 17, state: 'sent', packetId: 12 }],
    will: { topic: 'home/t7/state', qos: 1, bytes: 7 },
    memory: { bytes: 20_480, queueBytes: 4_096, userBytes: 40_960 },
    traffic: { receivedBytes: 252_000, sentBytes: 504 },
    rules: [
      { access: 'deny', filter: 'home/t7/secret', place: '/etc/acl:4' },
      { access: 'readwrite', filter: 'home/#', place: '/etc/acl:3' },
    ] as const,
  };
  assert.equal(
    clientDetailLines(detail, metered(), NOW, plain, 100).join('\n'),
    `thermo7  connected to box2 for 4 min 12 s, from 192.168.1.70:50123 by listener [::]:1883, MQTT 5.0
  user           ann
  session        expires 10 min after it leaves
  will           home/t7/state, QoS 1, 7 B
  queue          12 messages waiting, 1 not acknowledged; it reads more slowly than messages come
  memory         20 KB, 4.1 KB of it in its queue; all clients of its user hold 41 KB
  messages       120/s from it, 0.5/s to it; 4,240 and 17 since it connected
  traffic        252 KB (1 KB/s) from it, 504 B (2 B/s) to it
  access         the first line that matches decides; without one, no access
    deny       home/t7/secret  (/etc/acl:4)
    readwrite  home/#  (/etc/acl:3)
  subscriptions  2
    home/+/set  QoS 1, no local
    #  QoS 0, retain as published

MESSAGE      STATE  QOS  SIZE  PACKET
home/t7/set  sent     1  17 B     #12`,
  );
});

test('retained messages, with payloads that are text, bytes or large', () => {
  const head = { qos: 1, bytes: 4, node: 'box1', expiresIn: null, version: '1', base64: null };
  const messages: RetainedView[] = [
    { ...head, topic: 'home/t7', text: '21.4' },
    { ...head, topic: 'img', bytes: 250_000, text: null },
    { ...head, topic: 'raw', text: null, base64: '/wA=', expiresIn: 61 },
  ];
  assert.equal(
    retainedLines(messages, 3, plain, 80).join('\n'),
    `TOPIC    QOS    SIZE  EXPIRES    PAYLOAD
home/t7    1     4 B  -          21.4
img        1  250 KB  -          (large)
raw        1     4 B  1 min 1 s  /wA=`,
  );
});
