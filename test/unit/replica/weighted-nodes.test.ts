import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  hashOfMessage,
  type WeightedNode,
  WeightedNodes,
} from '../../../src/replica/weighted-nodes.ts';
import { bootSeed } from '../../../src/shared/boot-seed.ts';
import { fnv1a } from '../../../src/shared/fnv1a.ts';

const MESSAGES = 60_000;
const NODES: readonly WeightedNode[] = [
  { bootId: 0x1122334455667788n, weight: 1 },
  { bootId: 0x99aabbccddeeff00n, weight: 2 },
  { bootId: 0x0fedcba987654321n, weight: 3 },
  { bootId: 0x1357924680acebdfn, weight: 10 },
];

function choices(nodes: readonly WeightedNode[]): bigint[] {
  const weighted = new WeightedNodes(nodes);
  return Array.from({ length: MESSAGES }, (_, number) =>
    weighted.choose(hashOfMessage(77, 99, number)),
  );
}

test('each node is chosen as often as its weight says', () => {
  const chosen = choices(NODES);
  const sum = NODES.reduce((total, { weight }) => total + weight, 0);
  for (const { bootId, weight } of NODES) {
    const share = chosen.filter((one) => one === bootId).length / MESSAGES;
    assert.ok(Math.abs(share / (weight / sum) - 1) < 0.05, `${share} for ${weight} of ${sum}`);
  }
});

test('all nodes choose the same one, in whatever order they list them', () => {
  assert.deepEqual(choices(NODES), choices([...NODES].reverse()));
});

test('all nodes choose the same one of two whose numbers are equal by chance', () => {
  const low = 0x12345678n;
  const twin = (1n << 32n) | (low ^ 0x9e3779b1n);
  assert.equal(bootSeed(low), bootSeed(twin));
  const nodes = [low, twin].map((bootId) => ({ bootId, weight: 1 }));
  assert.deepEqual(choices(nodes), choices(nodes.toReversed()));
});

test('when a node dies only its own messages move', () => {
  const before = choices(NODES);
  const after = choices(NODES.slice(0, 3));
  for (const [message, node] of before.entries()) {
    if (node !== NODES[3]!.bootId) assert.equal(after[message], node);
  }
});

test('a node that gets another member takes messages over and gives none away', () => {
  const before = choices(NODES);
  const after = choices([{ ...NODES[0]!, weight: 4 }, ...NODES.slice(1)]);
  const moved = before.filter((node, message) => node !== after[message]).length;
  assert.ok(moved > 0);
  for (const [message, node] of after.entries()) {
    if (node !== before[message]) assert.equal(node, NODES[0]!.bootId);
  }
});

test('groups, origins and late numbers choose independently of each other', () => {
  const weighted = new WeightedNodes(NODES.map((node) => ({ ...node, weight: 1 })));
  const shareOfEqual = (change: (number: number) => number): number => {
    let equal = 0;
    for (let number = 0; number < 10_000; number++) {
      const first = weighted.choose(hashOfMessage(1, 2, number));
      if (first === weighted.choose(change(number))) equal += 1;
    }
    return equal / 10_000;
  };
  for (const change of [
    (number: number) => hashOfMessage(2, 2, number),
    (number: number) => hashOfMessage(1, 3, number),
    (number: number) => hashOfMessage(1, 2, number + 2 ** 40),
  ]) {
    const share = shareOfEqual(change);
    assert.ok(share > 0.2 && share < 0.3, String(share));
  }
});

test('the test vector of docs/protocol-replication.md', () => {
  const [a, b, c] = [0x0123456789abcdefn, 0xfedcba9876543210n, 0xdeadbeefn] as const;
  const nodes = new WeightedNodes([
    { bootId: a, weight: 1 },
    { bootId: b, weight: 2 },
    { bootId: c, weight: 3 },
  ]);
  const key = Buffer.from('workers\0job/#');
  const group = fnv1a(key, 0, key.length);
  assert.equal(group >>> 0, 0x56cdbdc1);
  assert.equal(bootSeed(a), 0x79fa66d8);
  for (const [number, hash, node] of [
    [1, 0xe4cc312c, b],
    [2, 0x42fd8e52, c],
    [3, 0xd2843e19, a],
    [2 ** 32 + 1, 0x93baa63c, c],
  ] as const) {
    const message = hashOfMessage(group, bootSeed(a), number);
    assert.equal(message >>> 0, hash);
    assert.equal(nodes.choose(message), node);
  }
});
