import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestClient } from '../../../support/mqtt-world.ts';
import { StoredBroker, WALL_MS } from '../../../support/stored-broker.ts';
import * as wire from '../../../support/wire.ts';

const FOR_EVER = { clean: false, properties: { sessionExpiryInterval: 0xffffffff } };
const SECOND_MS = 1000;

const willOf = (topic: string, willDelayInterval = 0) => ({
  topic,
  payload: 'gone',
  retain: true,
  properties: { willDelayInterval },
});

function connect(stored: StoredBroker, clientId: string, options: object): TestClient {
  return stored.world.connect(clientId, options as never);
}

/** Topics of the retained messages that a new subscriber gets. */
async function retained(stored: StoredBroker): Promise<string[]> {
  const client = stored.world.connect('reader');
  client.send(wire.subscribe(5, 1, [{ filter: '#' }]));
  await stored.until(() => client.inbox.some(({ type }) => type === 'suback'));
  const found = client.inbox
    .filter(({ type }) => type === 'publish')
    .map(({ topic }) => topic ?? '');
  client.send(wire.disconnect());
  return found.sort();
}

test('after a crash, clients have a minute to reconnect before their wills are published', async () => {
  const stored = await StoredBroker.start();
  connect(stored, 'short', { will: willOf('short') });
  connect(stored, 'lasting', { ...FOR_EVER, will: willOf('lasting') });
  connect(stored, 'patient', { ...FOR_EVER, will: willOf('patient', 300) });
  connect(stored, 'polite', { will: willOf('polite') }).send(wire.disconnect());
  await stored.safe();
  const again = await stored.cut();
  again.world.advance(59 * SECOND_MS);
  assert.deepEqual(await retained(again), []);
  again.world.advance(2 * SECOND_MS);
  assert.deepEqual(await retained(again), ['lasting', 'short']);
  assert.equal(again.world.broker.sessionCount, 2, 'what ends with its connection is no session');
  again.world.advance(240 * SECOND_MS);
  assert.deepEqual(await retained(again), ['lasting', 'patient', 'short']);
});

test('a client that reconnects in time after a crash cancels its will', async () => {
  const stored = await StoredBroker.start();
  connect(stored, 'short', { will: willOf('short') });
  connect(stored, 'resumed', { clean: false, will: willOf('resumed') });
  connect(stored, 'lasting', { ...FOR_EVER, will: willOf('lasting') });
  await stored.safe();
  const again = await stored.cut();
  const short = connect(again, 'short', {});
  const resumed = connect(again, 'resumed', { clean: false });
  const lasting = connect(again, 'lasting', FOR_EVER);
  const present = [short, resumed, lasting].map((client) => client.connack.sessionPresent);
  assert.deepEqual(present, [false, false, true]);
  again.world.advance(120 * SECOND_MS);
  assert.deepEqual(await retained(again), []);
});

test('the minute after a crash does not begin anew with the next crash, and no will is published twice', async () => {
  const stored = await StoredBroker.start();
  connect(stored, 'short', { will: willOf('short') });
  connect(stored, 'lasting', { ...FOR_EVER, will: willOf('lasting') });
  await stored.safe();
  const second = await stored.cut();
  second.world.advance(40 * SECOND_MS);
  await second.journal.compact();
  const third = await second.cut({ wallMs: WALL_MS + 40 * SECOND_MS });
  third.world.advance(25 * SECOND_MS);
  assert.deepEqual(await retained(third), ['lasting', 'short']);
  const cleaner = connect(third, 'cleaner', {});
  for (const topic of ['short', 'lasting']) {
    cleaner.send(wire.publish(5, { topic, payload: '', retain: true }));
  }
  await third.safe();
  const fourth = await third.cut();
  fourth.world.advance(120 * SECOND_MS);
  assert.deepEqual(await retained(fourth), []);
});
