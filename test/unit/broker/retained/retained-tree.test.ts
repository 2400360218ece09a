// The tree of retained topics: it finds what a comparison of every topic with the filter finds, also while
// it changes, and has at most two nodes for each message.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Message, newTopic } from '../../../../src/broker/message/message.ts';
import { KeptMessage } from '../../../../src/broker/retained/kept-message.ts';
import { RetainedTree } from '../../../../src/broker/retained/retained-tree.ts';
import { isTopicFilter, topicMatches } from '../../../../src/mqtt/topic.ts';
import { seededRandom } from '../../../support/random.ts';
import { message } from '../../../support/stored-records.ts';

const LEVELS = ['a', 'b', '', '$s', 'level-of-some-length', '+', '#'];

function give(tree: RetainedTree, topic: string, payload = 'x'): void {
  tree.reach(topic).kept = new KeptMessage(message(topic, payload), undefined, 0);
}

function take(tree: RetainedTree, topic: string): void {
  const node = tree.find(topic);
  if (node?.kept === undefined) return;
  node.kept = undefined;
  tree.prune(node);
}

function picker(seed: number): (levels: readonly string[], depth: number) => string {
  const random = seededRandom(seed);
  return (levels, depth) => {
    const length = 1 + Math.floor(random() * depth);
    return Array.from({ length }, () => levels[Math.floor(random() * levels.length)]).join('/');
  };
}

function topicsOf(found: Iterable<Message | undefined>): string[] {
  return [...found].flatMap((one) => (one === undefined ? [] : [one.topic.name])).sort();
}

/** Nodes without the root, by a walk over what the tree is made of. */
function countNodes(tree: RetainedTree, topics: Iterable<string>): number {
  const nodes = new Set<object>();
  for (const topic of topics) {
    for (let node = tree.find(topic); node?.parent !== undefined; node = node.parent) {
      nodes.add(node);
    }
  }
  return nodes.size;
}

test('the tree finds the same messages as a comparison of every topic with the filter', () => {
  const pick = picker(21);
  const random = seededRandom(22);
  const tree = new RetainedTree();
  const kept = new Set<string>();
  for (let step = 0; step < 6000; step++) {
    const topic = pick(LEVELS.slice(0, 5), 5);
    if (topic === '') continue;
    if (random() < 0.55) {
      give(tree, topic);
      kept.add(topic);
    } else {
      take(tree, topic);
      kept.delete(topic);
    }
    const filter = pick(LEVELS, 5);
    if (!isTopicFilter(filter)) continue;
    const wanted = [...kept].filter((one) => topicMatches(filter, one)).sort();
    assert.deepEqual(topicsOf(tree.match(filter, 0)), wanted, filter);
    assert.deepEqual(topicsOf(tree.all()), [...kept].sort());
    assert.ok(countNodes(tree, kept) <= kept.size * 2);
  }
  for (const topic of kept) take(tree, topic);
  assert.deepEqual([...tree.all()], []);
});

test('a walk finds each message once that is there all the time, however the tree changes meanwhile', () => {
  const pick = picker(23);
  const random = seededRandom(24);
  for (let round = 0; round < 150; round++) {
    const tree = new RetainedTree();
    const stay = new Set(Array.from({ length: 40 }, () => pick(LEVELS.slice(0, 5), 5)));
    stay.delete('');
    for (const topic of stay) give(tree, topic);
    const filter = ['#', 'a/#', '+/+/#', 'a/+', '+/b/+/#', '/#'][round % 6]!;
    const found: string[] = [];
    for (const one of tree.match(filter, 0)) {
      if (one !== undefined) found.push(one.topic.name);
      for (let i = 0; i < 3; i++) {
        const topic = pick(LEVELS.slice(0, 5), 6);
        if (topic === '' || stay.has(topic)) continue;
        if (random() < 0.5) give(tree, topic);
        else take(tree, topic);
      }
    }
    const staying = found.filter((topic) => stay.has(topic)).sort();
    const wanted = [...stay].filter((topic) => topicMatches(filter, topic)).sort();
    assert.deepEqual(staying, wanted, filter);
  }
});

test('20,000 topics of 128 levels have 20,000 nodes', () => {
  const tree = new RetainedTree();
  const topics = Array.from({ length: 20_000 }, (_, i) => `${i}${'/x'.repeat(127)}`);
  for (const topic of topics) give(tree, topic);
  assert.equal(countNodes(tree, topics), 20_000);
});

test('a topic that is left keeps no longer one in memory', () => {
  const tree = new RetainedTree();
  const common = 'a-beginning-of-some-length';
  const long = `${common}/${'x'.repeat(60_000)}`;
  give(tree, long);
  give(tree, `${common}/short`);
  take(tree, long);
  const node = tree.find(`${common}/short`);
  assert.equal(node?.label, `${common}/short`);
  assert.equal(node?.parent?.parent, undefined);
  assert.deepEqual(newTopic('t', Buffer.from('t')).holders, 0);
});
