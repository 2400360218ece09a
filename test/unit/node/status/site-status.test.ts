import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SiteStatus } from '../../../../src/node/status/site-status.ts';
import { World } from '../../../support/mqtt-world.ts';

test('a disk that takes no changes is a fault as soon as somebody asks, until it takes them again', () => {
  let isAccepting = true;
  const status = new SiteStatus({
    broker: new World().broker,
    nodeName: 'box1',
    expectsOthers: false,
    cluster: undefined,
    gossipPort: 7946,
    syncPort: 7947,
    disk: { folder: '/data', isAccepting: () => isAccepting },
    lostBridges: () => [],
    bulk: () => [],
    retainedHash: () => undefined,
    strangers: () => [],
  });
  assert.match(status.verdict().sentence, /^All well/);
  isAccepting = false;
  assert.match(status.verdict().sentence, /^The disk has taken no changes for/);
  isAccepting = true;
  assert.match(status.verdict().sentence, /^All well/);
  status.close();
});
