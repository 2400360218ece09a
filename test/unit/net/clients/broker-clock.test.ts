import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Broker } from '../../../../src/broker/broker.ts';
import { BrokerClock } from '../../../../src/net/clients/broker-clock.ts';
import { type Flushable, flushQueue } from '../../../../src/net/clients/flush-queue.ts';

test('what deferred work wrote leaves after what an event of the same turn wrote', async (t) => {
  const flushed: string[] = [];
  let haveFlushed = (): void => undefined;
  const both = new Promise<void>((resolve) => {
    haveFlushed = resolve;
  });
  const connection = (name: string): Flushable => ({
    flush: () => {
      if (flushed.push(name) === 2) haveFlushed();
    },
  });
  const broker = {
    onDeferred: () => assert.fail('the clock has to take it'),
    onEarlierDeadline: () => undefined,
    nextDeadline: () => Number.POSITIVE_INFINITY,
    runDeferred: () => flushQueue.add(connection('of a flood')),
  };
  const clock = new BrokerClock(broker as unknown as Broker);
  t.after(() => clock.stop());

  broker.onDeferred();
  setImmediate(() => {
    flushQueue.add(connection('of a client that sends little'));
    flushQueue.endGroup(flushQueue.size - 1);
  });
  await both;

  assert.deepEqual(flushed, ['of a client that sends little', 'of a flood']);
});
