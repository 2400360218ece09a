import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Subscriber } from '../../../../src/broker/routing/subscription.ts';
import { SubscriptionTree } from '../../../../src/broker/routing/subscription-tree.ts';
import { isTopicFilter, topicMatches } from '../../../../src/mqtt/topic.ts';
import { seededRandom } from '../../../support/random.ts';
import { newAccounts, newSubscriber, subscriptionTo } from '../../../support/subscribers.ts';

const LEVELS = ['a', 'b', '', '$s', '+', '#'];

test('the tree finds the same subscriptions as a comparison with every filter', () => {
  const random = seededRandom(11);
  const pick = (levels: readonly string[]): string => {
    const length = 1 + Math.floor(random() * 4);
    return Array.from({ length }, () => levels[Math.floor(random() * levels.length)]).join('/');
  };
  const tree = new SubscriptionTree(newAccounts());
  const subscribers = Array.from({ length: 20 }, (_, i) => newSubscriber(`s${i}`));
  const held = new Map<string, { subscriber: Subscriber; filter: string }>();
  for (let step = 0; step < 4000; step++) {
    const subscriber = subscribers[Math.floor(random() * subscribers.length)]!;
    const filter = pick(LEVELS);
    if (!isTopicFilter(filter)) continue;
    const key = `${subscriber.identity.clientId} ${filter}`;
    if (random() < 0.6) {
      tree.add(filter, subscriptionTo(filter, subscriber), undefined);
      held.set(key, { subscriber, filter });
    } else {
      tree.remove(filter, subscriber, undefined);
      held.delete(key);
    }
    assert.equal(tree.size, held.size);
    const topic = pick(LEVELS.slice(0, 4));
    if (topic.length === 0) continue;
    const found = tree
      .match(topic)
      .lists.flat()
      .map((one) => `${one.subscriber.identity.clientId} ${one.filter}`);
    const wanted = [...held]
      .filter(([, one]) => topicMatches(one.filter, topic))
      .map(([name]) => name);
    assert.deepEqual(found.sort(), wanted.sort(), topic);
  }
});

test('a search visits one node for each shape of filter, and one for each level of the topic', () => {
  const random = seededRandom(12);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const tree = new SubscriptionTree(newAccounts());
  const subscriber = newSubscriber('s');
  const held: [string, string | undefined][] = [];
  for (let step = 0; step < 3000; step++) {
    const length = 1 + Math.floor(random() * 6);
    const levels = Array.from({ length }, () => pick(['a', 'b', '+']));
    const topic = levels.map((level) => (level === '+' ? 'a' : level)).join('/');
    const { groups, visited } = tree.match(topic);
    assert.ok(
      visited + groups.length <= tree.shapes + length + 1,
      `${visited} nodes, ${tree.shapes} shapes`,
    );
    if (random() < 0.5) {
      const [filter, group] = [levels.join('/'), pick([undefined, 'g', 'h'])];
      tree.add(filter, subscriptionTo(filter, subscriber), group);
      held.push([filter, group]);
    } else {
      const [filter, group] = held.splice(Math.floor(random() * held.length), 1)[0] ?? ['a'];
      if (!held.some(([other, its]) => other === filter && its === group)) {
        tree.remove(filter, subscriber, group);
      }
    }
  }
  for (const [filter, group] of held) tree.remove(filter, subscriber, group);
  assert.deepEqual([tree.size, tree.nodes, tree.shapes], [0, 0, 0]);
});

test('filters that differ only in spelled-out levels have one shape', () => {
  const tree = new SubscriptionTree(newAccounts());
  const subscriber = newSubscriber('s');
  for (let i = 0; i < 100; i++) {
    tree.add(`plant/${i}/+/x${i}`, subscriptionTo('', subscriber), undefined);
    tree.add(`plant/${i}/+/x${i}`, subscriptionTo('', subscriber), 'g');
  }
  assert.equal(tree.shapes, 3, 'plain ones are not counted');
});

test('the tree is empty after all subscriptions are removed', () => {
  const tree = new SubscriptionTree(newAccounts());
  const subscriber = newSubscriber('s');
  const filters = ['a/b/c', 'a/+', '#', 'a/b'];
  for (const filter of filters) tree.add(filter, subscriptionTo(filter, subscriber), undefined);
  tree.add('x/y', subscriptionTo('$share/g/x/y', subscriber), 'g');
  assert.deepEqual([tree.size, tree.sharedSize, tree.nodes], [5, 1, 7]);
  for (const filter of filters) tree.remove(filter, subscriber, undefined);
  tree.remove('x/y', subscriber, 'g');
  assert.deepEqual([tree.size, tree.sharedSize, tree.nodes, tree.shapes], [0, 0, 0, 0]);
  assert.equal(tree.group('x/y', 'g'), undefined);
  assert.deepEqual(tree.match('a/b'), { lists: [], groups: [], visited: 1, listed: 0 });
});

test('a list that a route holds does not change when the tree does', () => {
  const tree = new SubscriptionTree(newAccounts());
  const [first, second] = [newSubscriber('1'), newSubscriber('2')];
  tree.add('a', subscriptionTo('a', first), undefined);
  const before = tree.match('a').lists[0]!;
  const version = tree.version;
  tree.add('a', subscriptionTo('a', second), undefined);
  assert.equal(before.length, 1);
  assert.equal(tree.match('a').lists[0]!.length, 2);
  assert.notEqual(tree.version, version);
});

test('a topic may have more groups of shared subscriptions than a call takes arguments', () => {
  const tree = new SubscriptionTree(newAccounts());
  const subscriber = newSubscriber('s');
  const groups = 200_000;
  for (let i = 0; i < groups; i++)
    tree.add('x', subscriptionTo(`$share/g${i}/x`, subscriber), `g${i}`);
  assert.equal(tree.match('x').groups.length, groups);
});
