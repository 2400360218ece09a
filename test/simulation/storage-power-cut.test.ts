// A broker with a journal on a disk that loses power at random moments, and random clients that follow
// the protocol: every acknowledged message is delivered in order, with QoS 2 exactly once. Snapshots are
// written all the time, so that power cuts hit them too. Disk, clock and event loop are simulated: a
// seed gives the same run on every machine. SHOAL_FIRST_SEED=n SHOAL_SEEDS=1 repeats one run.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../src/shared/logger.ts';
import { Journal } from '../../src/storage/journal.ts';
import { MemoryDisk } from '../support/memory-disk.ts';
import { checkReceived, ModelClient, type Published } from '../support/model-client.ts';
import { World } from '../support/mqtt-world.ts';
import { seededRandom } from '../support/random.ts';
import { SimulatedLoop } from '../support/simulated-loop.ts';

const SEEDS = Number(process.env.SHOAL_SEEDS ?? 25);
const FIRST_SEED = Number(process.env.SHOAL_FIRST_SEED ?? 1);
const STEPS = 250;
const WALL_MS = Date.UTC(2026, 0, 1);
const TURNS_MAX = 20_000;

type Random = () => number;
const below = (random: Random, limit: number): number => Math.floor(random() * limit);

/** Usually a fraction of a millisecond; now and then the machine is busy with something else. */
function turnMs(random: Random): number {
  const choice = random();
  return choice < 0.9 ? random() * 0.2 : choice < 0.99 ? random() * 5 : random() * 2000;
}

/** One process and its simulated machine. */
interface Node {
  readonly disk: MemoryDisk;
  readonly loop: SimulatedLoop;
  readonly world: World;
  readonly journal: Journal;
}

/** Starts a broker with the contents of the disk. */
async function boot(disk: MemoryDisk, random: Random, withFaults: boolean): Promise<Node> {
  const loop = new SimulatedLoop(() => turnMs(random));
  disk.turns = () => below(random, random() < 0.1 ? 30 : 4);
  disk.timers = loop;
  disk.random = random;
  const opening = Journal.open({
    folder: 'memory',
    disk,
    timers: loop,
    log: silentLogger,
    now: () => {
      // Time passes within a turn too, so that the walk for a snapshot takes several turns.
      loop.now += random() * 0.5;
      return { wall: WALL_MS, mono: loop.now };
    },
    compactBytesMin: 2000,
    // So small that a slow or full disk sometimes exceeds it.
    pendingBytesMax: withFaults && random() < 0.5 ? 1000 : 100_000,
    retryMs: 5,
  });
  const { journal, state } = await loop.until(opening);
  const options = { inflightMax: 1 + below(random, 8), queueMessagesMax: 100_000 };
  const world = new World(options, { store: journal });
  world.broker.importState(state);
  journal.useCapture((writer) => world.broker.exportState(writer, world.now));
  return { disk, loop, world, journal };
}

/** Makes the disk full or failing, or repairs it. */
function disturb(disk: MemoryDisk, random: Random): void {
  const choice = random();
  disk.capacityBytes =
    choice < 0.4 ? disk.usedBytes + below(random, 300) : Number.POSITIVE_INFINITY;
  disk.isBroken = choice > 0.8;
  disk.isLocked = choice > 0.7 && choice < 0.9;
  disk.faultRate = choice > 0.5 && choice < 0.6 ? 0.3 : 0;
}

function repair(disk: MemoryDisk): void {
  disk.capacityBytes = Number.POSITIVE_INFINITY;
  disk.isBroken = false;
  disk.isLocked = false;
  disk.faultRate = 0;
}

/** Runs until every message is delivered and acknowledged. */
async function settle({ loop, world }: Node, clients: readonly ModelClient[]): Promise<void> {
  for (let turn = 0; turn < TURNS_MAX; turn++) {
    for (const client of clients) {
      client.connect();
      client.answer(true);
    }
    await loop.turn();
    const owed = [...world.broker.context.sessions.all()].some(
      ({ outbound }) => outbound.inflight + outbound.queued > 0,
    );
    if (!owed && clients.every((client) => client.settled)) return;
  }
  assert.fail('messages are still undelivered');
}

interface Run {
  readonly cuts: number;
  /** Payloads that each client received, in order. */
  readonly received: readonly (readonly string[])[];
}

async function run(seed: number, withFaults: boolean): Promise<Run> {
  const random = seededRandom(seed);
  let node = await boot(new MemoryDisk(), random, withFaults);
  let cuts = 0;
  let renames = 0;
  const clients = Array.from(
    { length: 4 },
    (_, i) => new ModelClient(node.world, `c${i}`, random() < 0.5 ? 4 : 5, random),
  );
  const cut = async (): Promise<void> => {
    assert.deepEqual(node.disk.misuses, []);
    cuts += 1;
    renames = 0;
    const { disk } = node;
    // Either the process is killed, or the power fails.
    const isKill = !disk.hasForgotten && random() < 0.5;
    const left = isKill ? disk.processEnd() : disk.powerCut(random);
    if (withFaults && random() < 0.2) left.capacityBytes = left.usedBytes + below(random, 100);
    node = await boot(left, random, withFaults);
    for (const client of clients) client.moveTo(node.world);
  };
  for (const client of clients) {
    // Packets that the broker has not read are lost with the connection, so DUP may arrive first.
    if (withFaults) client.moveTo(node.world);
    client.subscribe();
    for (let turn = 0; !client.isSubscribed && turn < TURNS_MAX; turn++) {
      await node.loop.turn();
      client.answer(false);
    }
  }
  const published: Published[] = [];
  const lastRetained = new Map<string, string>();
  let retained = 0;
  for (let step = 0; step < STEPS; step++) {
    const client = clients[below(random, clients.length)]!;
    const choice = random();
    if (choice < 0.05) {
      retained += 1;
      // One QoS for each client: a repeated QoS 1 message may arrive after a later QoS 2 message.
      client.publish(`${retained}`, client === clients[0] ? 1 : 2, true);
      lastRetained.set(client.name, `${retained}`);
    } else if (choice < 0.4) {
      const qos = random() < 0.5 ? 1 : 2;
      const payload = `${client.name}:${published.length}:q${qos}`;
      published.push({ payload, qos, by: client.name });
      client.publish(payload, qos);
    } else if (choice < 0.75) client.answer(random() < 0.3);
    else if (choice < 0.85) client.lose();
    else if (choice < 0.97) client.connect();
    else await cut();
    // The snapshot has just been renamed: the worst moment for a cut.
    if (node.disk.renames > renames && random() < 0.3) await cut();
    renames = node.disk.renames;
    if (withFaults && random() < 0.1) disturb(node.disk, random);
    for (let turns = below(random, 3); turns > 0; turns--) await node.loop.turn();
  }
  repair(node.disk);
  await settle(node, clients);
  // A restart changes nothing about delivered messages.
  await cut();
  repair(node.disk);
  await settle(node, clients);
  const refused = new Set(clients.flatMap((client) => [...client.refused]));
  assert.ok(withFaults || refused.size === 0, 'no message is refused on a good disk');
  for (const receiver of clients) checkReceived(receiver, published, refused);
  for (const [name, last] of lastRetained) {
    const kept = node.world.broker.context.retained.get(`r/${name}`)?.payload.toString();
    assert.ok(kept === last || refused.has(last), `${last} of ${name} is retained, not ${kept}`);
  }
  return { cuts, received: clients.map(({ received }) => received) };
}

for (const withFaults of [false, true]) {
  const disk = withFaults ? 'a disk that is sometimes full or failing' : 'a good disk';
  const seeds = `seeds ${FIRST_SEED} to ${FIRST_SEED + SEEDS - 1}`;
  test(`on ${disk} acknowledged messages survive power cuts (${seeds})`, async () => {
    let cuts = 0;
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      try {
        cuts += (await run(seed, withFaults)).cuts;
      } catch (error) {
        throw new Error(`seed ${seed}: ${error instanceof Error ? error.stack : error}`);
      }
    }
    assert.ok(cuts > SEEDS, 'there were power cuts');
  });
}

test('a seed gives the same run', async () => {
  assert.deepEqual(await run(FIRST_SEED, true), await run(FIRST_SEED, true));
});
