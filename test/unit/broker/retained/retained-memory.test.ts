// What a retained message of 64 bytes takes in memory: its text, its place in the tree, and its topic in the table of
// topics. Counts what is in use after a collection, which no other work of the machine changes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Broker } from '../../../../src/broker/broker.ts';
import type { Outbox } from '../../../../src/broker/ports.ts';
import { silentLogger } from '../../../../src/shared/logger.ts';
import { usedBytes } from '../../../support/heap-summary.ts';
import * as wire from '../../../support/wire.ts';

/** Measured: 510 with Node 20, 536 with Node 24 and 26; 690 while each topic without subscribers had a route of its own. */
const BYTES_MAX = 580;
/** As many as the table `memory` of docs/performance.md has. All topics stay in the table of topics. */
const COUNT = 100_000;

const sink: Outbox = {
  congested: false,
  write: () => undefined,
  close: () => undefined,
  pauseReading: () => undefined,
  resumeReading: () => undefined,
};

test('a retained message of 64 bytes takes at most 580 bytes, with its topic in the table of topics', () => {
  const broker = new Broker({ options: {}, random: Math.random, now: 0, log: silentLogger });
  const client = broker.accept(sink, { remoteAddress: '192.0.2.1' }, 0);
  client.receive(wire.connect({ clientId: 'p', version: 4 }), 0);
  const payload = Buffer.alloc(64, 'x');
  const retain = (from: number, to: number): void => {
    for (let i = from; i < to; i++) {
      const topic = `retained/${String(i).padStart(7, '0')}`;
      client.receive(wire.publish(4, { topic, payload, retain: true }), 0);
      broker.runDeferred(0);
    }
  };
  // The first ones compile the code.
  retain(0, 1000);
  const before = usedBytes();
  retain(1000, COUNT + 1000);
  const each = (usedBytes() - before) / COUNT;
  assert.equal(broker.context.retained.count, COUNT + 1000);
  assert.ok(each <= BYTES_MAX, `${each} bytes`);
});
