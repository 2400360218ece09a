// Pages of lists: neither repeated nor left out, on one node and on several joined.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mergePages, PageCollector, pageOf, pageView } from '../../../src/http/page.ts';

const keyOf = (item: string): string => item.split('@')[0] ?? '';

function pageOfNode(items: readonly string[], query: { after?: string; limit?: number }) {
  const collector = new PageCollector<string>(pageOf(query), keyOf);
  for (const item of items) collector.add(item);
  return pageView(collector.listed, query, keyOf);
}

/** Follows `next` to the end. */
function walk(nodes: readonly (readonly string[])[], limit: number): string[] {
  const seen: string[] = [];
  let after: string | undefined = '';
  while (after !== undefined) {
    const query: { after: string; limit: number } = { after, limit };
    const pages = nodes.map((items) => pageOfNode(items, query));
    const joined = mergePages(pages, query, keyOf);
    assert.equal(joined.total, nodes.flat().length);
    seen.push(...joined.items);
    after = joined.next;
  }
  return seen;
}

test('the pages of three nodes are all their items in order', () => {
  const names = Array.from({ length: 100 }, (_, i) => `c${(i * 37) % 100}`.padEnd(4, 'x'));
  const nodes = [names.slice(0, 60), names.slice(60, 61), names.slice(61)];
  for (const limit of [1, 2, 7, 99, 100, 1000]) {
    assert.deepEqual(walk(nodes, limit), [...names].sort(), `limit ${limit}`);
  }
});

test('a client that two nodes have is on one page twice', () => {
  const seen = walk(
    [
      ['a@1', 'b@1'],
      ['a@2', 'b@2'],
    ],
    1,
  );
  assert.deepEqual(seen.sort(), ['a@1', 'a@2', 'b@1', 'b@2']);
});

test('long names end a page early, and all pages together have every name', () => {
  const names = Array.from({ length: 40 }, (_, i) => `${i}-`.padEnd(i % 2 === 0 ? 60_000 : 3, 'z'));
  const nodes = [names.slice(0, 25), names.slice(25)];
  assert.deepEqual(walk(nodes, 1000), [...names].sort());
  const page = pageOfNode(names, { limit: 1000 });
  assert.ok(JSON.stringify(page).length < 256 * 1024);
  assert.ok((page.next ?? '').length < 1000, 'the next page has an address');
});
