// Random clients on one broker, from a seed: they publish, stall, and come back to their sessions in the middle of
// it all. See checked-client.ts for what each of them checks.

import assert from 'node:assert/strict';
import { CheckedClient, type Exchange, type Ports, type Published } from './checked-client.ts';
import { seededRandom } from './random.ts';

const TOPICS = ['a', 'some/longer/topic', 'x/1', 'x/2'];
/** For the last messages, on a machine that is very slow. */
const SETTLE_MS_MAX = 60_000;
const LOOK_MS = 20;

export interface Size {
  readonly clients: number;
  readonly steps: number;
  readonly payloadBytesMax: number;
}

/** @returns how many messages arrived. @throws AssertionError for the first wrong one */
export async function runExchange(ports: Ports, seed: number, size: Size): Promise<number> {
  const random = seededRandom(seed);
  let fault: Error | undefined;
  const exchange: Exchange = {
    ports,
    topics: TOPICS.map((topic) => `${seed}/${topic}`),
    random,
    sent: new Map(),
    fail: (error) => (fault ??= error),
  };
  const first = (seed % 6000) * 10;
  const clients = Array.from(
    { length: size.clients },
    (_, index) => new CheckedClient(first + index, exchange),
  );
  const check = (): void => {
    if (fault !== undefined) throw fault;
  };
  try {
    for (const client of clients) {
      await client.connect();
      await client.subscribe();
    }
    const act = async (client: CheckedClient): Promise<void> => {
      for (let step = 0; step < size.steps && fault === undefined; step++) {
        const choice = random();
        if (choice < 0.6) client.publish(1 + Math.floor(random() * 20), size.payloadBytesMax);
        else if (choice < 0.75) await client.stall(random() * 200);
        else if (choice < 0.85) {
          client.lose();
          await pause(random() * 50);
          await client.connect();
        } else await pause(random() * 10);
        await pause(0);
      }
    };
    await Promise.all(clients.map(act));
    const until = performance.now() + SETTLE_MS_MAX;
    while (fault === undefined && !isSettled(clients, exchange) && performance.now() < until) {
      await pause(LOOK_MS);
    }
    check();
    for (const client of clients) {
      assert.deepEqual(missing(client, exchange), [], `${client.name}: messages that did not come`);
      checkOnce(client, exchange);
    }
  } finally {
    for (const client of clients) client.lose();
  }
  check();
  return clients.reduce((sum, { received }) => sum + received.size, 0);
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function isSettled(clients: readonly CheckedClient[], exchange: Exchange): boolean {
  return clients.every((client) => client.isSettled && missing(client, exchange).length === 0);
}

function qosFor(client: CheckedClient, { topic, qos }: Published): number {
  return Math.min(qos, client.subscriptions.get(topic)?.qos ?? 0);
}

/** Messages of QoS 1 and 2 reach each session. */
function missing(client: CheckedClient, { sent }: Exchange): string[] {
  const due = [...sent.values()].filter((message) => qosFor(client, message) > 0);
  return due.map(({ key }) => key).filter((key) => !client.received.has(key));
}

/** Only a PUBLISH of QoS 1 may be repeated, by the publisher or by the broker. */
function checkOnce(client: CheckedClient, { sent }: Exchange): void {
  for (const [key, times] of client.received) {
    const message = sent.get(key)!;
    const mayRepeat = message.qos === 1 || qosFor(client, message) === 1;
    assert.ok(mayRepeat || times === 1, `${client.name}: message ${key}, ${times} times`);
  }
}
