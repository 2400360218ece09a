import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultBrokerOptions } from '../../../../src/broker/options.ts';
import { memoryStore } from '../../../../src/broker/ports.ts';
import {
  type Subscription,
  SubscriptionTree,
} from '../../../../src/broker/routing/subscription-tree.ts';
import { QueueMemory } from '../../../../src/broker/session/queue-memory.ts';
import { Session } from '../../../../src/broker/session/session.ts';
import { BrokerStats } from '../../../../src/broker/stats.ts';
import { isTopicFilter, topicMatches } from '../../../../src/mqtt/topic.ts';
import { silentLogger } from '../../../../src/shared/logger.ts';
import { seededRandom } from '../../../support/random.ts';

const context = {
  options: defaultBrokerOptions,
  store: memoryStore,
  stats: new BrokerStats(),
  queueMemory: new QueueMemory(),
  log: silentLogger,
};
const newSession = (clientId: string): Session =>
  new Session({ clientId, username: undefined }, context);

function subscription(session: Session, filter: string): Subscription {
  return { session, filter, qos: 0, noLocal: false, retainAsPublished: false, identifiers: [] };
}

const LEVELS = ['a', 'b', '', '$s', '+', '#'];

test('the tree finds what matching each filter by itself finds', () => {
  const random = seededRandom(11);
  const pick = (levels: readonly string[]): string => {
    const length = 1 + Math.floor(random() * 4);
    return Array.from({ length }, () => levels[Math.floor(random() * levels.length)]).join('/');
  };
  const tree = new SubscriptionTree();
  const sessions = Array.from({ length: 20 }, (_, i) => newSession(`s${i}`));
  const held = new Map<string, { session: Session; filter: string }>();
  for (let step = 0; step < 4000; step++) {
    const session = sessions[Math.floor(random() * sessions.length)]!;
    const filter = pick(LEVELS);
    if (!isTopicFilter(filter)) continue;
    const key = `${session.clientId} ${filter}`;
    if (random() < 0.6) {
      tree.add(filter, subscription(session, filter), undefined);
      held.set(key, { session, filter });
    } else {
      tree.remove(filter, session, undefined);
      held.delete(key);
    }
    assert.equal(tree.size, held.size);
    const topic = pick(LEVELS.slice(0, 4));
    if (topic.length === 0) continue;
    const found = tree
      .match(topic)
      .lists.flat()
      .map((one) => `${one.session.clientId} ${one.filter}`);
    const wanted = [...held]
      .filter(([, one]) => topicMatches(one.filter, topic))
      .map(([name]) => name);
    assert.deepEqual(found.sort(), wanted.sort(), topic);
  }
});

test('no topic matches more nodes and groups than there are shapes of filters', () => {
  const random = seededRandom(12);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const tree = new SubscriptionTree();
  const session = newSession('s');
  const held: [string, string | undefined][] = [];
  for (let step = 0; step < 3000; step++) {
    const length = 1 + Math.floor(random() * 6);
    const levels = Array.from({ length }, () => pick(['a', 'b', '+']));
    const topic = levels.map((level) => (level === '+' ? 'a' : level)).join('/');
    const { groups, visited } = tree.match(topic);
    assert.ok(
      visited + groups.length <= tree.shapes + 1,
      `${visited} nodes, ${tree.shapes} shapes`,
    );
    if (random() < 0.5) {
      const [filter, group] = [levels.join('/'), pick([undefined, 'g', 'h'])];
      assert.equal(tree.hasRoomFor(filter, group), true);
      tree.add(filter, subscription(session, filter), group);
      held.push([filter, group]);
    } else {
      const [filter, group] = held.splice(Math.floor(random() * held.length), 1)[0] ?? ['a'];
      if (!held.some(([other, its]) => other === filter && its === group)) {
        tree.remove(filter, session, group);
      }
    }
  }
  for (const [filter, group] of held) tree.remove(filter, session, group);
  assert.deepEqual([tree.size, tree.nodes, tree.shapes], [0, 0, 0]);
});

test('filters that are alike but for their names are of one shape', () => {
  const tree = new SubscriptionTree();
  const session = newSession('s');
  for (let i = 0; i < 100; i++) {
    tree.add(`plant/${i}/+/x${i}`, subscription(session, ''), undefined);
    tree.add(`plant/${i}/+/x${i}`, subscription(session, ''), 'g');
  }
  assert.equal(tree.shapes, 5);
});

test('nothing stays behind when all subscriptions are gone', () => {
  const tree = new SubscriptionTree();
  const session = newSession('s');
  const filters = ['a/b/c', 'a/+', '#', 'a/b'];
  for (const filter of filters) tree.add(filter, subscription(session, filter), undefined);
  tree.add('x/y', subscription(session, '$share/g/x/y'), 'g');
  assert.deepEqual([tree.size, tree.sharedSize, tree.nodes], [5, 1, 7]);
  for (const filter of filters) tree.remove(filter, session, undefined);
  tree.remove('x/y', session, 'g');
  assert.deepEqual([tree.size, tree.sharedSize, tree.nodes, tree.shapes], [0, 0, 0, 0]);
  assert.equal(tree.group('x/y', 'g'), undefined);
  assert.deepEqual(tree.match('a/b'), { lists: [], groups: [], visited: 1 });
});

test('a list that a route holds does not change when the tree does', () => {
  const tree = new SubscriptionTree();
  const [first, second] = [newSession('1'), newSession('2')];
  tree.add('a', subscription(first, 'a'), undefined);
  const before = tree.match('a').lists[0]!;
  const version = tree.version;
  tree.add('a', subscription(second, 'a'), undefined);
  assert.equal(before.length, 1);
  assert.equal(tree.match('a').lists[0]!.length, 2);
  assert.notEqual(tree.version, version);
});

test('a topic may have more groups of shared subscriptions than a call takes arguments', () => {
  const tree = new SubscriptionTree();
  const session = newSession('s');
  const groups = 200_000;
  for (let i = 0; i < groups; i++) tree.add('x', subscription(session, `$share/g${i}/x`), `g${i}`);
  assert.equal(tree.match('x').groups.length, groups);
});
