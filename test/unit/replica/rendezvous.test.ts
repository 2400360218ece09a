import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseNode } from '../../../src/replica/rendezvous.ts';

const NODES = [11n, 22n, 33n, 44n];
const KEYS = Array.from({ length: 4000 }, (_, n) => `client-${n}`);

test('all nodes choose the same one, in whatever order they list them', () => {
  for (const key of KEYS.slice(0, 100)) {
    assert.equal(chooseNode(key, NODES), chooseNode(key, [...NODES].reverse()));
  }
});

test('each node is chosen about equally often', () => {
  for (const node of NODES) {
    const share = KEYS.filter((key) => chooseNode(key, NODES) === node).length / KEYS.length;
    assert.ok(share > 0.2 && share < 0.3, `${share} for ${node}`);
  }
});

test('when a node dies only its own keys move', () => {
  const left = NODES.filter((node) => node !== 22n);
  for (const key of KEYS) {
    const before = chooseNode(key, NODES);
    if (before !== 22n) assert.equal(chooseNode(key, left), before);
  }
});
