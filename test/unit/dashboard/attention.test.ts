// What the page says of the whole site, from the verdicts of its nodes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noticesOf, siteFaults, withoutFigures } from '../../../src/dashboard/attention.ts';
import type { FaultView, Observations, VerdictView } from '../../../src/http/node-api.ts';

const NOW = 1_800_000_000_000;
const WELL: VerdictView = { level: 'well', sentence: 'All well: 3 boxes online.', faults: [] };

function fault(code: string, text: string, severity: FaultView['severity'] = 'fault'): FaultView {
  return { code, severity, text, cure: 'type this' };
}

function verdictOf(...faults: FaultView[]): VerdictView {
  return { level: 'fault', sentence: `${faults[0]?.text}.`, faults };
}

function observed(node: string, given: Partial<Observations> = {}): [string, Observations] {
  const rest = { links: [], rttSeconds: {}, bans: [], slowSubscribers: [], bridges: [] };
  return [node, { node, verdict: WELL, ...rest, ...given }];
}

test('a site that is well has the sentence of the node that serves the page', () => {
  assert.equal(siteFaults(WELL, 'box1', new Map([observed('box2')])).sentence, WELL.sentence);
});

test('a link between two other nodes is in the sentence', () => {
  const text = '1.30 % of the messages from box2 to box3 were lost in the last minute';
  const verdict = verdictOf(fault('loss', text));
  const { level, sentence } = siteFaults(WELL, 'box1', new Map([observed('box2', { verdict })]));
  assert.equal(level, 'fault');
  assert.equal(sentence, `${text}.`);
});

test('a direction that both of its ends report is one fault', () => {
  const text = 'box3 does not hear box2, which hears box3: UDP 7947 is blocked on box3';
  const verdict = verdictOf(fault('blocked', text));
  const both = new Map([observed('box2', { verdict }), observed('box3', { verdict })]);
  assert.deepEqual(
    siteFaults(WELL, 'box1', both).faults.map((one) => one.text),
    [text],
  );
});

test('a node that all others miss is named once, with the time of this node', () => {
  const own = verdictOf(fault('offline', 'box3 has been gone for 4 s'));
  const verdict = verdictOf(fault('offline', 'box3 has been gone for 1 min 2 s'));
  const all = siteFaults(own, 'box1', new Map([observed('box2', { verdict })]));
  assert.deepEqual(all, own);
});

test('faults come before warnings, whichever node reports them', () => {
  const own = verdictOf(fault('load', 'box1 is busy for 97 % of its time', 'warning'));
  const text = 'box2 and box3 do not hear each other on UDP 7947';
  const verdict = verdictOf(fault('blocked', text));
  const { sentence } = siteFaults(own, 'box1', new Map([observed('box2', { verdict })]));
  assert.equal(sentence, `${text}. 1 more fault.`);
});

test('figures that only pass leave a text the same', () => {
  assert.equal(
    withoutFigures('box3 has been gone for 4 min 12 s'),
    withoutFigures('box3 has been gone for 13 s'),
  );
});

test('a client that reads slowly is named after ten seconds, while it is connected', () => {
  const slow = { user: null, messages: 1200, bytes: 3_400_000, since: NOW - 60_000 };
  const slowSubscribers = [
    { ...slow, client: 'display', isOnline: true },
    { ...slow, client: 'away', isOnline: false },
    { ...slow, client: 'burst', isOnline: true, since: NOW - 1000 },
  ];
  const notices = noticesOf(new Map([observed('box2', { slowSubscribers })]), NOW);
  assert.deepEqual(
    notices.map(({ text }) => text),
    ['display on box2 reads slowly: 1,200 messages (3.4 MB) wait, for 1 min now'],
  );
});

test('a ban by hand, which is on every node, is one notice', () => {
  const ban = { address: null, client: 'thermo7', reason: 'by hand', since: NOW } as const;
  const bans = [{ ...ban, until: NOW + 3_600_000 }];
  const both = new Map([observed('box1', { bans }), observed('box2', { bans })]);
  assert.deepEqual(
    noticesOf(both, NOW).map(({ text }) => text),
    ['thermo7 may not connect for 1 h (by hand)'],
  );
});
