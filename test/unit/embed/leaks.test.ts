// What a closed broker leaves behind: nothing that keeps it in memory, and nothing that keeps the process
// alive.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createBroker } from '../../../src/embed/index.ts';
import { connectTo, turn } from '../../support/embedded-client.ts';

const BROKERS = 100;
/** The engine may keep the last ones in registers and caches. */
const KEPT_MAX = 5;

test('a closed broker is collected, with its hooks, clients and subscriptions', async () => {
  setFlagsFromString('--expose_gc');
  const collect: () => void = runInNewContext('gc');
  const references: WeakRef<object>[] = [];
  const timers = process.getActiveResourcesInfo().length;
  for (let n = 0; n < BROKERS; n++) references.push(await useBroker());
  for (let turns = 0; turns < 5; turns++) {
    await turn();
    collect();
  }
  const kept = references.filter((reference) => reference.deref() !== undefined).length;
  assert.ok(kept <= KEPT_MAX, `${kept} of ${BROKERS} are in memory`);
  assert.ok(process.getActiveResourcesInfo().length <= timers);
});

async function useBroker(): Promise<WeakRef<object>> {
  const broker = await createBroker({
    hooks: {
      authenticate: async () => true,
      authorizePublish: () => true,
      published: () => undefined,
    },
  });
  const client = await connectTo(broker);
  await broker.subscribe('a', () => undefined);
  await client.mqtt.publishAsync('a', 'b', { qos: 1, retain: true });
  await client.end();
  await broker.close();
  return new WeakRef(broker);
}
