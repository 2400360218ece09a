import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuthDecision, Authorizer, Identity } from '../../../src/broker/ports.ts';
import { World } from '../../support/mqtt-world.ts';
import * as wire from '../../support/wire.ts';

/** Rights that the test changes: `user topic` pairs that are denied, users that are not welcome. */
class TestAuthorizer implements Authorizer {
  readonly permissive = false;
  readonly work = 0;
  readonly denied = new Set<string>();
  readonly unwelcome = new Set<string>();
  decision: AuthDecision = { reasonCode: 0 };
  asked = 0;

  authenticate(): AuthDecision {
    return this.decision;
  }

  mayPublish(_identity: Identity): boolean {
    return true;
  }

  subscriptionRefusal({ username }: Identity, filter: string): number {
    return this.denied.has(`${username} ${filter}`) ? 0x87 : 0;
  }

  mayReceive({ username }: Identity, topic: string): boolean {
    this.asked += 1;
    return !this.denied.has(`${username} ${topic}`);
  }

  isStillAuthorized({ username = '' }: Identity): boolean {
    return !this.unwelcome.has(username);
  }
}

function makeWorld() {
  const authorizer = new TestAuthorizer();
  return { authorizer, world: new World({}, { authorizer }) };
}

test('who may not receive a topic gets none of it, the others do, and it is counted', () => {
  const { authorizer, world } = makeWorld();
  authorizer.denied.add('ann t');
  const ann = world.connect('a', { username: 'ann' });
  const bob = world.connect('b', { username: 'bob' });
  ann.subscribe('#');
  bob.subscribe('#');
  for (let i = 0; i < 3; i++) world.connect('p').publish('t', `${i}`);
  ann.expectNothing();
  assert.deepEqual(bob.payloads(), ['0', '1', '2']);
  assert.equal(world.broker.stats.denied, 3);
});

test('rights are asked for once for a topic, not for each of its messages', () => {
  const { authorizer, world } = makeWorld();
  world.connect('a').subscribe('#');
  const publisher = world.connect('p');
  publisher.publish('t');
  const { asked } = authorizer;
  for (let i = 0; i < 10; i++) publisher.publish('t');
  assert.equal(authorizer.asked, asked);
});

test('a member of a shared subscription that may not receive passes the message on', () => {
  const { authorizer, world } = makeWorld();
  authorizer.denied.add('ann t');
  const ann = world.connect('a', { username: 'ann' });
  const bob = world.connect('b', { username: 'bob' });
  for (const client of [ann, bob]) client.subscribe('$share/g/t');
  for (const payload of ['1', '2', '3']) world.connect('p').publish('t', payload);
  ann.expectNothing();
  assert.deepEqual(bob.payloads(), ['1', '2', '3']);
});

test('a route that is known already follows when rights change', () => {
  const { authorizer, world } = makeWorld();
  const ann = world.connect('a', { username: 'ann' });
  ann.subscribe('#');
  const publisher = world.connect('p', { username: 'p' });
  publisher.publish('t', 'before');
  authorizer.denied.add('ann t');
  world.broker.applyRights(world.now);
  publisher.publish('t', 'denied');
  authorizer.denied.clear();
  world.broker.applyRights(world.now);
  publisher.publish('t', 'after');
  assert.deepEqual(ann.payloads(), ['before', 'after']);
});

test('when rights change, routes follow, and lost subscriptions end', () => {
  const { authorizer, world } = makeWorld();
  const ann = world.connect('a', { username: 'ann' });
  ann.subscribe(['t', '#']);
  const publisher = world.connect('p', { username: 'p' });
  publisher.publish('t', 'before');
  assert.deepEqual(ann.payloads(), ['before']);
  authorizer.denied.add('ann t');
  world.broker.applyRights(world.now);
  publisher.publish('t', 'after');
  publisher.publish('u', 'other');
  assert.deepEqual(ann.payloads(), ['other']);
  assert.equal(world.broker.context.tree.size, 1);
});

test('when the right to connect is gone the connection ends, with its will', () => {
  const { authorizer, world } = makeWorld();
  const watcher = world.connect('w', { username: 'w' });
  watcher.subscribe('gone');
  const ann = world.connect('a', { username: 'ann', will: { topic: 'gone', payload: 'ann' } });
  const old = world.connect('o', { username: 'old', version: 4 });
  for (const name of ['ann', 'old']) authorizer.unwelcome.add(name);
  world.broker.applyRights(world.now);
  ann.expectEnded(0x87);
  old.expectEnded();
  assert.deepEqual(watcher.payloads(), ['ann']);
});

test('what waits for an absent client is dropped with the right to it', () => {
  const { authorizer, world } = makeWorld();
  const fields = { username: 'ann', clean: false, properties: { sessionExpiryInterval: 100 } };
  const before = world.connect('a', fields);
  before.subscribe([{ filter: '#', qos: 1 }]);
  before.lose();
  const publisher = world.connect('p');
  for (const topic of ['t', 'u']) publisher.publish(topic, topic, { qos: 1 });
  authorizer.denied.add('ann t');
  world.broker.applyRights(world.now);
  assert.deepEqual(world.connect('a', fields).payloads(), ['u']);
});

test('a session that another user takes up keeps only what this user may have', () => {
  const { authorizer, world } = makeWorld();
  authorizer.denied.add('bob t');
  const fields = { clean: false, properties: { sessionExpiryInterval: 100 } };
  const ann = world.connect('a', { ...fields, username: 'ann' });
  ann.subscribe([{ filter: 't', qos: 1 }]);
  ann.lose();
  const publisher = world.connect('p');
  publisher.publish('t', 'for ann', { qos: 1 });
  const bob = world.connect('a', { ...fields, username: 'bob' });
  publisher.publish('t', 'still for ann', { qos: 1 });
  assert.deepEqual(bob.payloads(), []);
});

for (const qos of [1, 2] as const) {
  test(`what was in flight to one user with QoS ${qos} is not sent again to another`, () => {
    const { authorizer, world } = makeWorld();
    authorizer.denied.add('bob t');
    const fields = { clean: false, properties: { sessionExpiryInterval: 100 } };
    const ann = world.connect('a', { ...fields, username: 'ann' });
    ann.subscribe([{ filter: '#', qos }]);
    const publisher = world.connect('p');
    for (const topic of ['t', 'u']) publisher.publish(topic, topic, { qos });
    const [first, second] = [ann.expect('publish'), ann.expect('publish')];
    ann.lose();
    const bob = world.connect('a', { ...fields, username: 'bob' });
    const again = bob.expect('publish');
    assert.deepEqual([again.topic, again.dup, again.id], ['u', true, second.id]);
    // With QoS 2 the identifier is ended, since the client may know the message already.
    if (qos === 2) {
      assert.equal(bob.expect('pubrel').id, first.id);
      bob.send(wire.ack('pubcomp', first.id));
    }
    bob.expectNothing();
    bob.lose();
    world.connect('a', { ...fields, username: 'ann' }).expect('publish');
  });
}

test('a connection ends when what let it in expires', () => {
  const { authorizer, world } = makeWorld();
  authorizer.decision = { reasonCode: 0, expiresInMs: 60_000 };
  const client = world.connect('a');
  world.advance(59_999);
  client.expectNothing();
  world.advance(1);
  client.expectEnded(0xa0);
});

test('a change of rights reaches every one of many sessions, in several turns', () => {
  const { authorizer, world } = makeWorld();
  const fields = { clean: false, properties: { sessionExpiryInterval: 100 }, username: 'ann' };
  for (let i = 0; i < 1200; i++) {
    const client = world.connect(`c${i}`, fields);
    client.subscribe('t');
    client.lose();
  }
  authorizer.denied.add('ann t');
  world.broker.applyRights(world.now);
  for (let turn = 0; turn < 3; turn++) world.broker.runDeferred(world.now);
  assert.equal(world.broker.context.tree.size, 0);
});

test('a retained message is withheld while its publisher may not publish to the topic', () => {
  const authorizer = new TestAuthorizer();
  const forbidden = new Set<string>();
  authorizer.mayPublish = ({ username }: Identity) => !forbidden.has(username ?? '');
  const world = new World({}, { authorizer });
  world.connect('p', { username: 'eve' }).publish('t', 'x', { retain: true });
  const reader = world.connect('r', { username: 'ann' });
  const read = (): string[] => {
    reader.subscribe('t');
    return reader.payloads();
  };
  assert.deepEqual(read(), ['x']);
  forbidden.add('eve');
  assert.deepEqual(read(), []);
  assert.equal(world.broker.stats.denied, 1);
  world.broker.reconfigure({ checkRetainSource: false });
  assert.deepEqual(read(), ['x']);
});
