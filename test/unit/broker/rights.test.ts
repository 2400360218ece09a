import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuthDecision, Authorizer, Identity } from '../../../src/broker/ports.ts';
import { World } from '../../support/mqtt-world.ts';
import * as wire from '../../support/wire.ts';

/** Denies the `user topic` pairs and the withdrawn users that the test adds. */
class TestAuthorizer implements Authorizer {
  readonly permissive = false;
  readonly provesUsers = false;
  readonly work = 0;
  readonly denied = new Set<string>();
  readonly withdrawn = new Set<string>();
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

  mayReceiveAll({ username }: Identity, filter: string): boolean {
    return !this.denied.has(`${username} ${filter}`);
  }

  isStillAuthorized({ username = '' }: Identity): boolean {
    return !this.withdrawn.has(username);
  }
}

function makeWorld() {
  const authorizer = new TestAuthorizer();
  return { authorizer, world: new World({}, { authorizer }) };
}

test('a subscriber without access to a topic gets none of its messages, others do, and it is counted', () => {
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

test('the authorizer is asked once for a topic, not for each message', () => {
  const { authorizer, world } = makeWorld();
  world.connect('a').subscribe('#');
  const publisher = world.connect('p');
  publisher.publish('t');
  const { asked } = authorizer;
  for (let i = 0; i < 10; i++) publisher.publish('t');
  assert.equal(authorizer.asked, asked);
});

test('a member of a shared subscription without access is passed over', () => {
  const { authorizer, world } = makeWorld();
  authorizer.denied.add('ann t');
  const ann = world.connect('a', { username: 'ann' });
  const bob = world.connect('b', { username: 'bob' });
  for (const client of [ann, bob]) client.subscribe('$share/g/t');
  for (const payload of ['1', '2', '3']) world.connect('p').publish('t', payload);
  ann.expectNothing();
  assert.deepEqual(bob.payloads(), ['1', '2', '3']);
});

test('a cached route follows a change of access', () => {
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

test('after a change of access, subscriptions without access end', () => {
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

test('a client whose access is withdrawn is disconnected, and its will is published', () => {
  const { authorizer, world } = makeWorld();
  const watcher = world.connect('w', { username: 'w' });
  watcher.subscribe('gone');
  const ann = world.connect('a', { username: 'ann', will: { topic: 'gone', payload: 'ann' } });
  const old = world.connect('o', { username: 'old', version: 4 });
  for (const name of ['ann', 'old']) authorizer.withdrawn.add(name);
  world.broker.applyRights(world.now);
  ann.expectEnded(0x87);
  old.expectEnded();
  assert.deepEqual(watcher.payloads(), ['ann']);
});

test('queued messages of an absent client are dropped when it loses access to them', () => {
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

test('a session that another user resumes keeps only what that user may receive', () => {
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
  test(`a QoS ${qos} message in flight to one user is not repeated to another`, () => {
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
    // PUBREL ends the identifier of QoS 2, because the client may have the message already.
    if (qos === 2) {
      assert.equal(bob.expect('pubrel').id, first.id);
      bob.send(wire.ack('pubcomp', first.id));
    }
    bob.expectNothing();
    bob.lose();
    world.connect('a', { ...fields, username: 'ann' }).expect('publish');
  });
}

test('a connection ends when its authentication expires', () => {
  const { authorizer, world } = makeWorld();
  authorizer.decision = { reasonCode: 0, expiresInMs: 60_000 };
  const client = world.connect('a');
  world.advance(59_999);
  client.expectNothing();
  world.advance(1);
  client.expectEnded(0xa0);
});

test('a change of access reaches each of many sessions, in several turns', () => {
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
