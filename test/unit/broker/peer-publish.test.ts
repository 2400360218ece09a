// Messages between the broker core and its peers: the forwarder gets local PUBLISH packets, the
// publisher gets an answer that is true of the cluster, and a PUBLISH of a peer is delivered here.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ForwardResult, PeerForwarder } from '../../../src/broker/ports.ts';
import { Framer } from '../../../src/mqtt/framer.ts';
import { decodePublish } from '../../../src/mqtt/publish-decoder.ts';
import { PublishView } from '../../../src/mqtt/publish-view.ts';
import { World } from '../../support/mqtt-world.ts';
import * as wire from '../../support/wire.ts';

const SECOND = 1000;
const KEPT = { clean: false, properties: { sessionExpiryInterval: 3600 } };

interface Forwarded {
  topic: string;
  payload: string;
  qos: number;
  retain: boolean;
  version: number;
}

function recorder(result: ForwardResult = 'forwarded'): {
  forwarder: PeerForwarder;
  forwarded: Forwarded[];
} {
  const forwarded: Forwarded[] = [];
  const forwarder: PeerForwarder = {
    forward: ({ buffer, payloadStart, end, qos, retain, version }, topic) => {
      const payload = buffer.toString('utf8', payloadStart, end);
      forwarded.push({ topic: topic.toString(), payload, qos, retain, version });
      return result;
    },
    get lastNumber() {
      return forwarded.length;
    },
  };
  return { forwarder, forwarded };
}

/** A PUBLISH as it arrives from a peer: MQTT 5 form, topic written out. */
function peerPublish(world: World, fields: wire.PublishFields): void {
  const bytes = wire.publish(5, fields);
  const framer = new Framer(bytes.length);
  framer.push(bytes);
  framer.next();
  const view = new PublishView();
  const { buffer, start, bodyStart, end } = framer;
  assert.equal(decodePublish(view, buffer, start, bodyStart, end, 5), undefined);
  world.broker.publishFromPeer(view, world.now, { seed: 9 }, 1);
}

test('a local PUBLISH is forwarded once, with its topic even if it has only an alias', () => {
  const { forwarder, forwarded } = recorder();
  const world = new World({}, { forwarder });
  const pub = world.connect('p');
  const properties = { topicAlias: 1 };
  pub.publish('t', 'one', { qos: 1, retain: true });
  pub.send(wire.publish(5, { topic: 'u', payload: 'set', properties }));
  pub.send(wire.publish(5, { topic: '', payload: 'used', properties }));
  world.connect('old', { version: 4 }).publish('v', 'old', { qos: 2 });
  assert.deepEqual(forwarded, [
    { topic: 't', payload: 'one', qos: 1, retain: true, version: 5 },
    { topic: 'u', payload: 'set', qos: 0, retain: false, version: 5 },
    { topic: 'u', payload: 'used', qos: 0, retain: false, version: 5 },
    { topic: 'v', payload: 'old', qos: 2, retain: false, version: 4 },
  ]);
});

test('a repeated QoS 2 PUBLISH is forwarded once', () => {
  const { forwarder, forwarded } = recorder();
  const pub = new World({}, { forwarder }).connect('p');
  for (const dup of [false, true, true]) {
    pub.send(wire.publish(5, { topic: 't', qos: 2, id: 1, dup }));
  }
  assert.equal(forwarded.length, 1);
});

test('a refused PUBLISH is not forwarded', () => {
  const { forwarder, forwarded } = recorder();
  const pub = new World({}, { forwarder }).connect('p');
  pub.send(wire.publish(5, { topic: '$SYS/x', qos: 1 }));
  const properties = { payloadFormatIndicator: 1 };
  pub.send(wire.publish(5, { topic: 't', payload: Buffer.from([0xff]), properties }));
  assert.deepEqual(forwarded, []);
});

test('a will is forwarded like a message, $SYS is not', () => {
  const { forwarder, forwarded } = recorder();
  const world = new World({ sysIntervalSeconds: 10 }, { forwarder });
  world.connect('a', { will: { topic: 'w', payload: 'will', qos: 1, retain: true } }).lose();
  world.advance(60 * SECOND);
  assert.deepEqual(forwarded, [{ topic: 'w', payload: 'will', qos: 1, retain: true, version: 5 }]);
});

test('a PUBLISH of a peer reaches subscribers of both versions and is not forwarded again', () => {
  const { forwarder, forwarded } = recorder();
  const world = new World({}, { forwarder });
  const modern = world.connect('a');
  const old = world.connect('b', { version: 4 });
  for (const peer of [modern, old]) peer.subscribe(['t']);
  const properties: wire.Properties = { contentType: 'text', userProperty: [['a', 'b']] };
  for (const qos of [0, 1, 2])
    peerPublish(world, { topic: 't', payload: `${qos}`, qos, properties });
  const got = modern.messages();
  assert.deepEqual(
    got.map(({ payload, qos }) => [payload, qos]),
    [
      ['0', 0],
      ['1', 1],
      ['2', 2],
    ],
  );
  for (const message of got) assert.deepEqual(message.properties, properties);
  assert.deepEqual(old.payloads(), ['0', '1', '2']);
  assert.deepEqual(forwarded, []);
});

test('a PUBLISH of a peer is queued for an absent client and updates the retained store', () => {
  const world = new World();
  const first = world.connect('a', KEPT);
  first.subscribe(['t']);
  first.lose();
  peerPublish(world, { topic: 't', payload: 'x', qos: 1, retain: true });
  assert.deepEqual(world.connect('a', KEPT).payloads(), ['x']);
  const late = world.connect('b');
  late.subscribe(['t']);
  assert.equal(late.messages()[0]?.retain, true);
  peerPublish(world, { topic: 't', payload: '', retain: true });
  const later = world.connect('c');
  later.subscribe(['t']);
  later.expectNothing();
});

test('the expiry of a PUBLISH of a peer continues to count down here', () => {
  const world = new World();
  const first = world.connect('a', KEPT);
  first.subscribe(['t']);
  first.lose();
  for (const messageExpiryInterval of [5, 30]) {
    peerPublish(world, { topic: 't', qos: 1, properties: { messageExpiryInterval } });
  }
  world.advance(10 * SECOND);
  const got = world.connect('a', KEPT).messages();
  assert.deepEqual(
    got.map(({ properties }) => properties.messageExpiryInterval),
    [20],
  );
});

test('a PUBLISH of a peer goes to one member of each shared subscription of this node', () => {
  const world = new World();
  const members = [1, 2].map((i) => {
    const peer = world.connect(`m${i}`);
    peer.subscribe(['$share/g/t']);
    return peer;
  });
  for (let i = 0; i < 4; i += 1) peerPublish(world, { topic: 't', payload: `${i}`, qos: 1 });
  assert.deepEqual(
    members.map((peer) => peer.payloads().length),
    [2, 2],
  );
});

test('a PUBLISH of a peer to a $ topic, a wildcard or an empty topic is dropped', () => {
  const world = new World();
  const sub = world.connect('a');
  sub.subscribe(['#', '$SYS/#', '$x']);
  sub.inbox.length = 0;
  for (const topic of ['$SYS/broker/version', '$x', 'a/#', '+', '']) {
    peerPublish(world, { topic, payload: 'x', retain: true });
  }
  sub.expectNothing();
});

test('No Local does not apply to a message of another node', () => {
  const world = new World();
  const sub = world.connect('a');
  sub.subscribe([{ filter: 't', qos: 1, noLocal: true }]);
  peerPublish(world, { topic: 't', payload: 'x' });
  assert.deepEqual(sub.payloads(), ['x']);
});

const ANSWERS: readonly [ForwardResult, number, RegExp | undefined][] = [
  ['noPeers', 0x10, undefined],
  ['filtered', 0x10, undefined],
  ['forwarded', 0, undefined],
  ['tooLarge', 0, /this node only/],
  ['discarded', 0, /queue .* is full/],
];

for (const [result, reason, remark] of ANSWERS) {
  test(`the answer to a PUBLISH without a subscriber here is true of the cluster: ${result}`, () => {
    const { forwarder } = recorder(result);
    const client = new World({}, { forwarder }).connect('p');
    for (const qos of [1, 2]) {
      const answer = client.publish('t', 'x', { qos });
      assert.equal(answer?.reason, reason);
      const text = answer?.properties.reasonString;
      if (remark === undefined) assert.equal(text, undefined);
      else assert.match(String(text), remark);
    }
  });
}

test('the answer has no Reason String for clients that cannot take one', () => {
  const { forwarder } = recorder('tooLarge');
  const world = new World({}, { forwarder });
  const properties = [{ requestProblemInformation: 0 }, { maximumPacketSize: 40 }];
  for (const property of properties) {
    const client = world.connect('p', { properties: property });
    assert.equal(client.publish('t', 'x', { qos: 1 })?.properties.reasonString, undefined);
  }
  assert.equal(world.connect('old', { version: 4 }).publish('t', 'x', { qos: 1 })?.reason, 0);
});

test('a retained message too large to cross clears its predecessor on the other nodes', () => {
  const { forwarder, forwarded } = recorder('tooLarge');
  const world = new World({}, { forwarder });
  world.connect('p').publish('t', 'large', { retain: true });
  world.connect('w', { will: { topic: 'will', payload: 'large', retain: true } }).lose();
  world.connect('q').publish('t', 'not retained');
  const cleared = forwarded.filter(({ payload }) => payload === '');
  assert.deepEqual(cleared, [
    { topic: 't', payload: '', qos: 1, retain: true, version: 5 },
    { topic: 'will', payload: '', qos: 1, retain: true, version: 5 },
  ]);
  const late = world.connect('late');
  late.subscribe('#');
  assert.deepEqual(late.payloads(), ['large', 'large'], 'this node keeps the large one');
});

test('a publisher learns that its message was not retained', () => {
  const world = new World({ retainedMessagesMax: 1 });
  const client = world.connect('p');
  client.publish('a', 'x', { retain: true });
  const answer = client.publish('b', 'x', { retain: true, qos: 1 });
  assert.match(String(answer?.properties.reasonString), /not retained/);
  assert.equal(world.broker.stats.retainedRefused, 1);
});
