// The page of a run: what a reader finds on it without a search.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bundleOfCommit } from '../../support/bundles.ts';
import { check } from '../checker.ts';
import type { ChaosEvent } from '../history.ts';
import { page } from './page.ts';
import type { LogLine } from './story.ts';

const ID = { publisher: 'p', topic: 'local/n1/2', number: 7 };
const DELIVERY = { client: 'c', node: 'n1', dup: false, retain: false, ...ID };

const EVENTS: ChaosEvent[] = [
  { at: 500, kind: 'sample', node: 'n1', pid: 1, residentBytes: 60e6, descriptors: 30 },
  { at: 900, kind: 'fault', what: 'kill -9', target: 'n1', phase: 'begin' },
  { at: 1000, kind: 'publish', node: 'n1', qos: 2, retain: false, ...ID },
  { at: 1100, kind: 'delivery', ...DELIVERY },
  { at: 4000, kind: 'fault', what: 'kill -9', target: 'n1', phase: 'end' },
  { at: 5000, kind: 'delivery', ...DELIVERY },
];
const STARTS: ChaosEvent[] = ['-roaming', '-roaming', '-large=1M'].map((flag, i) => ({
  ...{ at: 100 * i, kind: 'start', node: 'n1', hasData: i > 0, flags: [flag] },
}));
const LOG: LogLine[] = [
  { at: 1050, origin: 'n1', line: 'time=2026-11-29T10:00:00.000Z level=info event="<started>"' },
  { at: 1060, origin: 'n2', line: 'level=info event="of another node"' },
  { at: 1070, origin: 'n2', line: 'level=warn event="cluster suspect n1"' },
  { at: 60_000, origin: 'n1', line: 'level=warn event="much later"' },
];

test('a broken rule is in the banner, on the timeline, and has the story of its message', () => {
  const html = page(EVENTS, check(EVENTS), LOG, 'seed 1');
  assert.match(html, /1 of 15 rules broken/);
  assert.match(
    html,
    /QoS 2 never comes twice<\/a>: 1 time, first at 5.0 s: c got p local\/n1\/2 7/,
  );
  assert.match(html, /<path class="mark"/);
  const story = /<details open>.*?<\/details>/s.exec(html)?.[0] ?? '';
  const rows = [...story.matchAll(/<tr class="(\w+)"><td>(.*?)<\/td><td>(.*?)<\/td>/g)];
  assert.deepEqual(
    rows.map(([, kind, at, text]) => `${at} ${kind}: ${text}`),
    [
      '0.9 s fault: kill -9: n1, until 4.0 s',
      '1.0 s message: p publishes local/n1/2 7 at n1, QoS 2',
      '1.1 s log: n1 level=info event=&quot;&lt;started>&quot;',
      '1.1 s log: n2 level=warn event=&quot;cluster suspect n1&quot;',
      '1.1 s message: c gets it at n1',
      '5.0 s message: c gets it at n1',
    ],
  );
});

test('the options of a node are on the page, where they change', () => {
  const html = page(STARTS, check(STARTS), [], 'seed 1');
  const table = /<h2>Options.*?<\/table>/s.exec(html)?.[0] ?? '';
  const rows = [...table.matchAll(/<td>n1<\/td><td>(.*?)<\/td>/g)].map(([, options]) => options);
  assert.deepEqual(rows, ['-roaming no -data', '-roaming -data', '-large=1M -data']);
});

test('a rule that has looked at nothing is not proven', () => {
  const html = page([], check([]), [], 'seed 1');
  assert.match(html, /15 of 15 rules have looked at nothing/);
  assert.match(html, /<b>not proven<\/b>/);
});

test('a clone without the commit of the release before has no bundle of it', () => {
  assert.equal(bundleOfCommit('0'.repeat(40)), undefined);
});
