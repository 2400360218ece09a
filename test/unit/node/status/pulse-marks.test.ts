// Which events mark the pulse of the dashboard.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { markOfConnects, markOfEvent } from '../../../../src/node/status/pulse-marks.ts';

function textOf(event: string, fields = {}): string | undefined {
  return markOfEvent({ at: 1, level: 'info', event, fields })?.text;
}

test('a node that dies, returns, restarts or leaves makes a mark', () => {
  assert.equal(textOf('cluster offline box3 10.0.0.3:7946'), 'box3 is offline');
  assert.equal(textOf('cluster online box3 10.0.0.3:7946', { reason: 'joined' }), 'box3 is online');
  const reason = 'restarted, says box2';
  assert.equal(textOf('cluster updated box3 10.0.0.3:7946', { reason }), 'box3 has restarted');
  assert.equal(textOf('cluster left box3 10.0.0.3:7946'), 'box3 has left');
});

test('a change of metadata, a suspicion and a client make no mark', () => {
  assert.equal(textOf('cluster updated box3 10.0.0.3:7946', { reason: 'metadata' }), undefined);
  assert.equal(textOf('cluster suspect box3 10.0.0.3:7946'), undefined);
  assert.equal(textOf('client connected', { client: 'cluster offline box3 ' }), undefined);
});

test('clients that connect together are a wave, measured by the clients that the node has', () => {
  assert.equal(markOfConnects(1, 40, 41)?.text, '40 clients connected at once');
  assert.equal(markOfConnects(1, 19, 19), undefined);
  assert.equal(markOfConnects(1, 40, 1000), undefined);
});
