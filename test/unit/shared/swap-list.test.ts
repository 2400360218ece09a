import assert from 'node:assert/strict';
import { test } from 'node:test';
import { getHeapSpaceStatistics } from 'node:v8';
import { type Listed, SwapList } from '../../../src/shared/swap-list.ts';
import { collectGarbage } from '../../support/heap-summary.ts';

class Item implements Listed {
  place: number | undefined;
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

const namesOf = (list: SwapList<Item>): string[] => [...list].map(({ name }) => name).sort();

test('an item that leaves takes no other one with it', () => {
  const list = new SwapList<Item>();
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => new Item(name)) as [
    Item,
    Item,
    Item,
    Item,
  ];
  for (const item of [a, b, c]) list.add(item);
  list.delete(a);
  list.delete(a);
  assert.deepEqual(namesOf(list), ['b', 'c']);
  list.add(d);
  list.delete(d);
  list.delete(b);
  assert.deepEqual(namesOf(list), ['c']);
  assert.equal(list.size, 1);
  list.add(a);
  list.delete(c);
  assert.deepEqual(namesOf(list), ['a'], 'one that has left may come back');
});

test('items may leave while the list is walked, and all others are visited', () => {
  const list = new SwapList<Item>();
  const items = Array.from({ length: 100 }, (_, index) => new Item(`${index}`));
  for (const item of items) list.add(item);
  const seen = new Set<Item>();
  for (const item of list) {
    seen.add(item);
    list.delete(item);
    list.delete(items[seen.size % 7]!);
  }
  assert.equal(list.size, 0);
  for (const item of items.slice(7)) assert.ok(seen.has(item), item.name);
});

/** Of the generations that only a full collection cleans, bytes. */
function oldBytes(): number {
  return getHeapSpaceStatistics()
    .filter(({ space_name }) => /^(old|large)/.test(space_name))
    .reduce((sum, { space_used_size }) => sum + space_used_size, 0);
}

test('items that come and go do not survive the collections of the young generation', () => {
  const list = new SwapList<Item & { readonly data: readonly number[] }>();
  // Its own table is old then, as that of a node that has waited for clients. A Set fails here: 500 bytes each.
  collectGarbage();
  const count = 200_000;
  const live: Parameters<typeof list.add>[0][] = [];
  let promoted = 0;
  let last = oldBytes();
  for (let i = 0; i < count; i++) {
    const before = live[i % 50];
    if (before !== undefined) list.delete(before);
    const item = Object.assign(new Item(''), { data: new Array(100).fill(i) });
    list.add(item);
    live[i % 50] = item;
    if (i % 1000 !== 0) continue;
    const now = oldBytes();
    promoted += Math.max(0, now - last);
    last = now;
  }
  assert.ok(promoted / count < 150, `${promoted / count} bytes each`);
});
