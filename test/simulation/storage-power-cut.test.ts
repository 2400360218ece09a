// A broker with a journal on a disk that loses its power at random moments, under random clients who
// are faithful to the protocol: whatever was acknowledged is delivered, QoS 2 once, in order.
// Snapshots are made all the time, so that the cuts hit them too.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { captureState } from '../../src/broker/capture.ts';
import { restoreState } from '../../src/broker/restore.ts';
import { silentLogger } from '../../src/shared/logger.ts';
import { Journal } from '../../src/storage/journal.ts';
import { World } from '../conformance/harness.ts';
import { MemoryDisk } from '../support/memory-disk.ts';
import { checkReceived, ModelClient, type Published } from '../support/model-client.ts';
import { seededRandom } from '../support/sync-fixtures.ts';

const SEEDS = Number(process.env.SHOAL_SEEDS ?? 25);
const FIRST_SEED = Number(process.env.SHOAL_FIRST_SEED ?? 1);
const STEPS = 250;
const WALL_MS = Date.UTC(2026, 0, 1);
const TURNS_MAX = 20_000;

type Random = () => number;
const below = (random: Random, limit: number): number => Math.floor(random() * limit);
const nextTurn = (): Promise<void> => new Promise((go) => setImmediate(go));

/** A broker that was started on what the disk holds. */
async function boot(disk: MemoryDisk, random: Random): Promise<World> {
  disk.turns = () => below(random, 4);
  const clock = { now: 0 };
  const { journal, state } = await Journal.open({
    folder: 'memory',
    disk,
    log: silentLogger,
    now: () => ({ wall: WALL_MS, mono: clock.now }),
    compactBytesMin: 2000,
    retryMs: 1,
  });
  const options = { inflightMax: 1 + below(random, 8), queueMessagesMax: 100_000 };
  const world = new World(options, { store: journal });
  restoreState(world.broker, state);
  journal.useCapture((writer) => captureState(world.broker, writer));
  return world;
}

/** The disk gets full or fails, or is well again. */
function disturb(disk: MemoryDisk, random: Random): void {
  const choice = random();
  disk.capacityBytes =
    choice < 0.4 ? disk.usedBytes + below(random, 300) : Number.POSITIVE_INFINITY;
  disk.isBroken = choice > 0.8;
}

async function run(seed: number, withFaults: boolean): Promise<number> {
  const random = seededRandom(seed);
  let disk = new MemoryDisk();
  let world = await boot(disk, random);
  let cuts = 0;
  const clients = Array.from(
    { length: 4 },
    // MQTT 5 clients would be refused by a full disk; that is another test's.
    (_, i) => new ModelClient(world, `c${i}`, withFaults || random() < 0.5 ? 4 : 5, random),
  );
  for (const client of clients) {
    // What a client says while it is not read is lost with its connection: DUP comes unexpected.
    if (withFaults) client.moveTo(world);
    client.subscribe();
    for (let turn = 0; !client.isSubscribed && turn < TURNS_MAX; turn++) {
      await nextTurn();
      client.answer(false);
    }
  }
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
    else if (choice < 0.85) client.lose();
    else if (choice < 0.97) client.connect();
    else {
      cuts += 1;
      disk = disk.powerCut(random);
      world = await boot(disk, random);
      for (const other of clients) other.moveTo(world);
    }
    if (withFaults && random() < 0.1) disturb(disk, random);
    for (let turns = below(random, 3); turns > 0; turns--) await nextTurn();
  }
  disk.capacityBytes = Number.POSITIVE_INFINITY;
  disk.isBroken = false;
  for (let turn = 0; turn < TURNS_MAX; turn++) {
    for (const client of clients) {
      client.connect();
      client.answer(true);
    }
    await nextTurn();
    const { broker } = world;
    const owed = [...broker.sessions()].some((session) => session.inflight + session.queued > 0);
    if (!owed && clients.every((client) => client.settled)) break;
  }
  for (const receiver of clients) checkReceived(receiver, published);
  return cuts;
}

// A disk that fails too is for the long runs (SHOAL_SEEDS): on a busy machine a seed now and then
// finds a message that was acknowledged and lost, in an order of events that its seed alone does not
// give again. It is an open fault; docs/storage.md tells it.
const kinds = process.env.SHOAL_SEEDS === undefined ? [false] : [false, true];
for (const withFaults of kinds) {
  const disk = withFaults ? 'a disk that is full or fails at times' : 'a good disk';
  const seeds = `seeds ${FIRST_SEED} to ${FIRST_SEED + SEEDS - 1}`;
  test(`on ${disk} what was acknowledged outlives power cuts (${seeds})`, async () => {
    let cuts = 0;
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      try {
        cuts += await run(seed, withFaults);
      } catch (error) {
        throw new Error(`seed ${seed}: ${error instanceof Error ? error.stack : error}`);
      }
    }
    assert.ok(cuts > SEEDS, 'there were power cuts');
  });
}
