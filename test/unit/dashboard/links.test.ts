// The links between the nodes as the page joins them from what both ends measure.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classOf, linksOf, wordsOf } from '../../../src/dashboard/links.ts';
import type { NodeView, Observations } from '../../../src/http/node-api.ts';

type Link = Observations['links'][number];

function link(name: string, given: Partial<Link> = {}): Link {
  return { name, loss: { in: 0, out: 0 }, blocked: [], ...given };
}

function linksBetween(links: Readonly<Record<string, readonly Link[]>>) {
  const rest = { rttSeconds: {}, bans: [], slowSubscribers: [], bridges: [] };
  const verdict = { level: 'well', sentence: '', faults: [] } as const;
  const observations = Object.entries(links).map(
    ([node, own]) => [node, { node, verdict, links: own, ...rest }] as const,
  );
  const self = { isSelf: false } as NodeView;
  return linksOf([self], new Map(observations));
}

test('a direction that its receiver does not hear is blocked, and the other one is not', () => {
  const links = linksBetween({
    box2: [link('box3', { blocked: ['in on UDP 7947'] })],
    box3: [link('box2', { blocked: ['out on UDP 7947'] })],
  });
  assert.equal(wordsOf(links('box3', 'box2')), 'blocked on UDP 7947');
  assert.equal(classOf(links('box3', 'box2')), 'bad');
  assert.equal(classOf(links('box2', 'box3')), 'good');
});

test('of the figures of both ends the worse one counts', () => {
  const links = linksBetween({
    box2: [link('box3', { loss: { in: 0, out: 0.05 } })],
    box3: [link('box2', { loss: { in: 1.5, out: 0 } })],
  });
  assert.equal(wordsOf(links('box2', 'box3')), '1.50 % lost');
  assert.equal(classOf(links('box2', 'box3')), 'poor');
});

test('a direction without messages, and one that no node has reported, are unknown', () => {
  const links = linksBetween({ box2: [link('box3', { loss: { in: null, out: null } })] });
  assert.equal(classOf(links('box2', 'box3')), 'unknown');
  assert.equal(classOf(links('box3', 'box4')), 'unknown');
});
