// Two brokers with journals, joined by a bridge, while processes are killed, power fails and the link
// breaks at random moments: every acknowledged message arrives on the other side in order, with QoS 2
// exactly once. Disks, clock, event loop and link are simulated: a seed gives the same run on every
// machine. SHOAL_FIRST_SEED=n SHOAL_SEEDS=1 repeats one run.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../src/shared/logger.ts';
import { Journal } from '../../src/storage/journal.ts';
import { BridgeWorld, bridgeOptions, giveSeed } from '../support/bridge-world.ts';
import { MemoryDisk } from '../support/memory-disk.ts';
import { checkReceived, ModelClient, type Published } from '../support/model-client.ts';
import { World } from '../support/mqtt-world.ts';
import { seededRandom } from '../support/random.ts';
import { SimulatedLoop } from '../support/simulated-loop.ts';

const SEEDS = Number(process.env.SHOAL_SEEDS ?? 8);
const FIRST_SEED = Number(process.env.SHOAL_FIRST_SEED ?? 1);
const STEPS = 300;
const WALL_MS = Date.UTC(2026, 0, 1);
const TURNS_MAX = 30_000;

type Random = () => number;
const below = (random: Random, limit: number): number => Math.floor(random() * limit);

/** A broker's process and its machine. */
interface Node {
  readonly disk: MemoryDisk;
  readonly loop: SimulatedLoop;
  readonly world: World;
}

/** Both machines have one clock. */
class Clock {
  now = 0;
}

async function boot(disk: MemoryDisk, random: Random, clock: Clock): Promise<Node> {
  const loop: SimulatedLoop = new SimulatedLoop(() => clock.now - loop.now);
  loop.now = clock.now;
  disk.turns = () => below(random, 4);
  disk.timers = loop;
  disk.random = random;
  const opening = Journal.open({
    folder: 'memory',
    disk,
    timers: loop,
    log: silentLogger,
    now: () => ({ wall: WALL_MS + clock.now, mono: clock.now }),
    compactBytesMin: 4000,
    retryMs: 5,
  });
  const { journal, state } = await loop.until(opening);
  const world = new World({ inflightMax: 1 + below(random, 8) }, { store: journal });
  giveSeed(world);
  world.now = Math.max(world.now, clock.now);
  clock.now = world.now;
  world.broker.importState(state);
  journal.useCapture((writer) => world.broker.exportState(writer, world.now));
  return { disk, loop, world };
}

function options(version: 4 | 5) {
  return bridgeOptions(['m/# both 2'], { version, inflightMax: 5, reconnectMinMs: 100 });
}

class Site {
  near: Node;
  far: Node;
  bridge: BridgeWorld;
  kills = 0;
  readonly clock: Clock;
  readonly #random: Random;
  readonly #version: 4 | 5;

  private constructor(near: Node, far: Node, clock: Clock, random: Random, version: 4 | 5) {
    this.near = near;
    this.far = far;
    this.clock = clock;
    this.#random = random;
    this.#version = version;
    this.bridge = this.#startBridge();
  }

  static async start(random: Random, version: 4 | 5): Promise<Site> {
    const clock = new Clock();
    const near = await boot(new MemoryDisk(), random, clock);
    const far = await boot(new MemoryDisk(), random, clock);
    return new Site(near, far, clock, random, version);
  }

  #startBridge(): BridgeWorld {
    const world = new BridgeWorld(options(this.#version), {
      near: this.near.world,
      far: this.far.world,
      queueMessagesMax: 100_000,
    });
    world.bridge.start(this.clock.now);
    return world;
  }

  async turn(): Promise<void> {
    this.clock.now += this.#random() * 20;
    for (const { loop, world } of [this.near, this.far]) {
      await loop.turn();
      world.now = this.clock.now;
      world.broker.advance(world.now);
    }
    const { bridge } = this.bridge;
    if (bridge.nextDeadline <= this.clock.now) bridge.advance(this.clock.now);
    if (this.#random() < 0.8) this.bridge.step();
  }

  /** Kills the process, or takes its power; then starts it again. */
  async kill(which: 'near' | 'far'): Promise<void> {
    this.kills += 1;
    const { disk } = this[which];
    const random = this.#random;
    const left = random() < 0.5 ? disk.processEnd() : disk.powerCut(random);
    this.bridge.link?.lose();
    this[which] = await boot(left, random, this.clock);
    this[which === 'near' ? 'far' : 'near'].world.now = this.clock.now;
    if (which === 'near') this.bridge = this.#startBridge();
    else this.bridge.far = this.far.world;
  }

  get isQuiet(): boolean {
    const owed = [this.near, this.far].some(({ world }) =>
      [...world.broker.context.sessions.all()].some(
        ({ outbound }) => outbound.inflight + outbound.queued > 0,
      ),
    );
    return !owed && this.bridge.bridge.status.state === 'connected';
  }
}

async function settle(site: Site, clients: readonly ModelClient[]): Promise<void> {
  for (let turn = 0; turn < TURNS_MAX; turn++) {
    for (const client of clients) {
      client.connect();
      client.answer(true);
    }
    await site.turn();
    if (site.isQuiet && clients.every((client) => client.settled)) return;
  }
  assert.fail(`messages are still undelivered: ${site.bridge.lines.slice(-5).join('\n')}`);
}

/** Fills the disk of one side, or makes room on both. */
function disturb({ near, far }: Site, random: Random): void {
  const { disk } = random() < 0.5 ? near : far;
  if (random() < 0.6) disk.capacityBytes = disk.usedBytes + below(random, 300);
  else repair(near.disk, far.disk);
}

function repair(...disks: readonly MemoryDisk[]): void {
  for (const disk of disks) disk.capacityBytes = Number.POSITIVE_INFINITY;
}

async function run(seed: number, version: 4 | 5, withFullDisks: boolean): Promise<number> {
  const random = seededRandom(seed);
  const site = await Site.start(random, version);
  const clients = (['near', 'far'] as const).map(
    (side) => new ModelClient(site[side].world, side, 5, random),
  );
  // Packets that a broker has not read are lost with the connection, so DUP may arrive first.
  if (withFullDisks) for (const client of clients) client.moveTo(site[client.name as 'near'].world);
  for (const client of clients) client.subscribe();
  for (let turn = 0; !clients.every((client) => client.isSubscribed); turn++) {
    assert.ok(turn < TURNS_MAX, 'the clients subscribe');
    await site.turn();
    for (const client of clients) client.answer(false);
  }
  await settle(site, clients);
  // The bridge's subscription is durable at the far side.
  for (let turns = 0; turns < 100; turns++) await site.turn();
  const published: Published[] = [];
  for (let step = 0; step < STEPS; step++) {
    const client = clients[below(random, 2)]!;
    const choice = random();
    if (choice < 0.4) {
      const qos = random() < 0.5 ? 1 : 2;
      const payload = `${client.name}:${published.length}:q${qos}`;
      published.push({ payload, qos, by: client.name });
      client.publish(payload, qos);
    } else if (choice < 0.8) client.answer(random() < 0.3);
    else if (choice < 0.85) client.lose();
    else if (choice < 0.93) site.bridge.link?.lose();
    else if (choice < 0.97) {
      const which = random() < 0.5 ? 'near' : 'far';
      await site.kill(which);
      clients[which === 'near' ? 0 : 1]!.moveTo(site[which].world);
    } else for (let turns = 0; turns < 200; turns++) await site.turn();
    if (withFullDisks && random() < 0.1) disturb(site, random);
    for (let turns = below(random, 4); turns > 0; turns--) await site.turn();
  }
  repair(site.near.disk, site.far.disk);
  await settle(site, clients);
  const refused = new Set(clients.flatMap((client) => [...client.refused]));
  for (const receiver of clients) checkReceived(receiver, published, refused);
  return site.kills;
}

const cases = [
  [4, false],
  [5, false],
  [4, true],
  [5, true],
] as const;
for (const [version, withFullDisks] of cases) {
  const disks = withFullDisks ? ' and full disks' : '';
  const seeds = `${version === 4 ? '3.1.1' : '5.0'}, seeds ${FIRST_SEED} to ${FIRST_SEED + SEEDS - 1}`;
  test(`a bridge loses and repeats nothing over kills${disks} of both sides (${seeds})`, async () => {
    let kills = 0;
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      try {
        kills += await run(seed, version, withFullDisks);
      } catch (error) {
        throw new Error(`seed ${seed}: ${error instanceof Error ? error.stack : error}`);
      }
    }
    assert.ok(kills > SEEDS, 'processes were killed');
  });
}
