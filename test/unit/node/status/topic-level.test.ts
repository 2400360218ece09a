// One level of the topic tree: what a node lists, and what the nodes together say of it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TopicView } from '../../../../src/http/node-api.ts';
import { mergeTopicPages, type TopicPage } from '../../../../src/http/topic-merge.ts';
import { TopicLevel } from '../../../../src/node/status/topic-level.ts';

const ALL = { after: '', limit: 100 };

/** @param values topic and version; the version is the time of the write */
function levelOf(node: string, prefix: string, values: readonly [string, number | undefined][]) {
  const level = new TopicLevel<{ topic: string; version: string | undefined }>(prefix);
  for (const [topic, time] of values) {
    level.add({ topic, version: time === undefined ? undefined : `${time}.a` });
  }
  const show = ({ version = '0' }): TopicView['value'] => {
    return { qos: 0, bytes: 1, preview: version, at: Number.parseInt(version, 10) };
  };
  const listed = level.list(ALL, node, show);
  return { ...listed, nodes: [node] };
}

function joined(...pages: TopicPage[]): TopicPage {
  return mergeTopicPages(pages, {});
}

test('a level lists its names in order, with the number of values below each', () => {
  const { items, total } = levelOf('box1', '', [
    ['home/b', 1],
    ['home/a/x', 2],
    ['garden', 3],
    ['home', 4],
  ]);
  assert.equal(total, 2);
  assert.deepEqual(
    items.map(({ name, values, value }) => [name, values, value?.preview]),
    [
      ['garden', 1, '3.a'],
      ['home', 3, '4.a'],
    ],
  );
});

test('a level below another leaves out the topic of the level itself', () => {
  const { items } = levelOf('box1', 'home/', [
    ['home', 1],
    ['home/a/x', 2],
    ['home//y', 3],
  ]);
  assert.deepEqual(
    items.map(({ topic, value }) => [topic, value]),
    [
      ['home/', null],
      ['home/a', null],
    ],
  );
});

test('nodes that hold the same values are one variant, in whatever order they got them', () => {
  const { items } = joined(
    levelOf('box1', '', [
      ['home/a', 1],
      ['home/b', 2],
    ]),
    levelOf('box2', '', [
      ['home/b', 2],
      ['home/a', 1],
    ]),
  );
  assert.deepEqual(
    items[0]?.variants.map(({ nodes }) => nodes),
    [['box1', 'box2']],
  );
});

test('a value that differs on one node marks every level above it, and the newest is shown', () => {
  const { items } = joined(
    levelOf('box1', '', [['home/a', 1]]),
    levelOf('box2', '', [['home/a', 5]]),
    levelOf('box3', '', [['home/a', 1]]),
  );
  assert.deepEqual(
    items[0]?.variants.map(({ nodes }) => nodes),
    [['box1', 'box3'], ['box2']],
  );
  const leaf = joined(
    levelOf('box1', 'home/', [['home/a', 1]]),
    levelOf('box2', 'home/', [['home/a', 5]]),
  );
  assert.equal(leaf.items[0]?.value?.preview, '5.a');
});

test('a node that lacks a value is named', () => {
  const { items } = joined(levelOf('box1', '', [['home', 1]]), levelOf('box2', '', []));
  assert.deepEqual(
    items[0]?.variants.map(({ nodes, values }) => [nodes, values]),
    [
      [['box1'], 1],
      [['box2'], 0],
    ],
  );
});

test('values that stay on their node do not count as different', () => {
  const { items } = joined(
    levelOf('box1', '', [['local', undefined]]),
    levelOf('box2', '', [
      ['local', undefined],
      ['local/x', undefined],
    ]),
  );
  assert.equal(items[0]?.variants.length, 1);
});
