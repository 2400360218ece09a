// Random clients that lose their connection at any moment, acknowledge late or in part, and
// reconnect: QoS 1 arrives at least once, QoS 2 exactly once, in order, with DUP only on packets that
// were sent before. The clients follow the specification exactly.

import { test } from 'node:test';
import { checkReceived, ModelClient, type Published } from '../support/model-client.ts';
import { World } from '../support/mqtt-world.ts';
import { seededRandom } from '../support/random.ts';

const SEEDS = Number(process.env.SHOAL_SEEDS ?? 150);
const FIRST_SEED = Number(process.env.SHOAL_FIRST_SEED ?? 1);
const STEPS = 250;

type Random = () => number;
const below = (random: Random, limit: number): number => Math.floor(random() * limit);

function run(seed: number): void {
  const random = seededRandom(seed);
  const world = new World({ inflightMax: 1 + below(random, 8), queueMessagesMax: 100_000 });
  const clients = Array.from(
    { length: 4 },
    (_, i) => new ModelClient(world, `c${i}`, random() < 0.5 ? 4 : 5, random),
  );
  for (const client of clients) client.subscribe();
  const published: Published[] = [];
  for (let step = 0; step < STEPS; step++) {
    const client = clients[below(random, clients.length)]!;
    const choice = random();
    if (choice < 0.4) {
      const qos = random() < 0.5 ? 1 : 2;
      const payload = `${client.name}:${published.length}:q${qos}`;
      published.push({ payload, qos, by: client.name });
      client.publish(payload, qos);
    } else if (choice < 0.75) client.answer(random() < 0.3);
    else if (choice < 0.9) client.lose();
    else client.connect();
    if (random() < 0.05) world.advance(1000);
  }
  for (let round = 0; round < 2000; round++) {
    for (const client of clients) {
      client.connect();
      client.answer(true);
    }
    if (clients.every((client) => client.settled)) break;
  }
  for (const receiver of clients) checkReceived(receiver, published);
}

test(`QoS 1 and 2 keep their guarantees over lost connections (seeds ${FIRST_SEED} to ${FIRST_SEED + SEEDS - 1})`, () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    try {
      run(seed);
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.stack : error}`);
    }
  }
});
