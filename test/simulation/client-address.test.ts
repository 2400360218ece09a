// The address of the clients (-address) on a virtual clock: the production cores of membership and of the
// holder's watch, beside a model of the kernels, which keep an address until its lifetime ends.
// After each step at most one box may have the address, unless a partition separates the two.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIFETIME_SECONDS, RENEW_MS } from '../../src/net/cluster/floating-address.ts';
import { HolderWatch } from '../../src/node/cluster/holder-watch.ts';
import { isOnline } from '../../src/swim/record.ts';
import { type SimNode, Simulator, settledCluster } from '../support/simulator.ts';

const STEP_MS = 10;
const PROBE_MS = 300;
const LIFETIME_MS = LIFETIME_SECONDS * 1000;
/** The kernel looks at lifetimes now and then. */
const KERNEL_LATE_MS = 250;

class Box {
  readonly node: SimNode;
  readonly watch = new HolderWatch();
  isPowered = true;
  /** When its kernel drops the address. */
  holdsUntil = 0;
  #renewAt = 0;
  #isHeld = false;
  #isChosen = false;
  #probeAt = 0;
  readonly #site: Site;

  constructor(node: SimNode, site: Site) {
    this.node = node;
    this.#site = site;
  }

  get holds(): boolean {
    return this.isPowered && this.#site.now < this.holdsUntil;
  }

  /** What the node does in one step of its event loop. */
  step(): void {
    if (!this.node.isRunning || this.node.isStalled) return;
    const { now, sim } = this.#site;
    const before = this.#site.before(this);
    const isAlive = (one: SimNode): boolean => this.#stateOf(one) === 'alive';
    this.watch.setSuspect(before.length > 0 && !before.some(isAlive), now);
    const isChosen = before.every((one) => this.watch.isLost && !isAlive(one));
    if (isChosen !== this.#isChosen) this.watch.choose(isChosen, now);
    this.#isChosen = isChosen;
    if (this.watch.isWatching && now >= this.#probeAt) {
      this.#probeAt = now + PROBE_MS;
      const isAnswered = this.#site.answers(this);
      const endsAt = isAnswered ? now + 1 : now + PROBE_MS - 1;
      sim.at(endsAt, () => this.watch.probed(isAnswered, endsAt));
    }
    if (this.watch.mayHold) this.#renew(now);
    else if (this.#isHeld) {
      this.#isHeld = false;
      this.holdsUntil = now;
    }
  }

  #renew(now: number): void {
    if (this.#isHeld && now < this.#renewAt) return;
    const hasLapsed = this.#isHeld && now >= this.#renewAt - RENEW_MS + LIFETIME_MS;
    this.#renewAt = now + RENEW_MS;
    if (!hasLapsed) this.holdsUntil = now + LIFETIME_MS + KERNEL_LATE_MS * this.#site.sim.random();
    this.#isHeld = true;
  }

  #stateOf(other: SimNode): string | undefined {
    return this.node.swim.table.get(other.name)?.state;
  }

  sees(other: SimNode): boolean {
    const member = this.node.swim.table.get(other.name);
    return member !== undefined && isOnline(member.state) && member.bootId === other.bootId;
  }
}

class Site {
  readonly sim: Simulator;
  readonly boxes: readonly Box[];
  /** Since when nothing is cut. */
  #wholeSince = 0;
  isCut = false;
  /** The longest time that two boxes had the address while the network was whole. */
  doubleMs = 0;
  #doubleSince: number | undefined;

  constructor(seed: number, size: number) {
    this.sim = new Simulator(seed);
    this.boxes = settledCluster(this.sim, size, size).map((node) => new Box(node, this));
    this.run(5000);
    assert.deepEqual(this.holders, ['n1']);
  }

  get now(): number {
    return this.sim.now;
  }

  get holders(): string[] {
    return this.boxes.filter(({ holds }) => holds).map(({ node }) => node.name);
  }

  /** The nodes that this one sees online, and that have been there for longer. */
  before(box: Box): SimNode[] {
    const nodes = this.boxes.slice(0, this.boxes.indexOf(box)).map(({ node }) => node);
    return nodes.filter((node) => box.sees(node));
  }

  /** One SYN from this box to the address, and the answer. */
  answers(box: Box): boolean {
    const { loss } = this.sim.network;
    const isLost = this.sim.random() < loss || this.sim.random() < loss;
    const reached = this.boxes.some(
      (one) => one.holds && !this.sim.isCut(box.node.endpoint, one.node.endpoint),
    );
    return reached && !isLost;
  }

  /** The timers of the event loop run before it reads what has arrived. */
  resume(box: Box): void {
    box.node.isStalled = false;
    box.step();
    this.#check();
    this.sim.resume(box.node);
  }

  run(ms: number, isDone: () => boolean = () => false): number | undefined {
    const start = this.now;
    while (this.now < start + ms) {
      this.sim.runFor(STEP_MS);
      for (const box of this.boxes) box.step();
      this.#check();
      if (isDone()) return this.now - start;
    }
    return undefined;
  }

  #check(): void {
    if (this.isCut) this.#wholeSince = this.now;
    if (this.holders.length < 2) this.#doubleSince = undefined;
    else this.#doubleSince ??= this.now - STEP_MS;
    if (this.#doubleSince === undefined) return;
    const since = Math.max(this.#doubleSince, this.#wholeSince);
    this.doubleMs = Math.max(this.doubleMs, this.now - since);
  }
}

/** @returns how long it took until another box has the address, over many seeds, sorted */
function takeovers(size: number, kill: (first: Box, site: Site) => void): number[] {
  const times: number[] = [];
  for (let seed = 0; seed < 40; seed++) {
    const site = new Site(seed, size);
    site.run(site.sim.random() * 2000);
    kill(site.boxes[0]!, site);
    const tookMs = site.run(10_000, () => site.holders.some((name) => name !== 'n1'));
    assert.ok(tookMs !== undefined, `seed ${seed}`);
    assert.equal(site.doubleMs, 0, `seed ${seed}: two boxes had it`);
    site.run(10_000);
    assert.equal(site.holders.length, 1, `seed ${seed}`);
    times.push(tookMs);
  }
  return times.sort((a, b) => a - b);
}

for (const size of [2, 3, 5]) {
  test(`the address of a killed process moves in under 5 s, ${size} nodes`, (context) => {
    const times = takeovers(size, ({ node }, { sim }) => sim.kill(node));
    context.diagnostic(`median ${times[times.length / 2]} ms, at most ${times.at(-1)} ms`);
    assert.ok(times.at(-1)! < 5000, `${times.at(-1)} ms`);
  });

  test(`the address of a box without power moves in under 4.5 s, ${size} nodes`, (context) => {
    const times = takeovers(size, (first, { sim }) => {
      first.isPowered = false;
      sim.kill(first.node);
    });
    context.diagnostic(`median ${times[times.length / 2]} ms, at most ${times.at(-1)} ms`);
    assert.ok(times.at(-1)! < 4500, `${times.at(-1)} ms`);
  });
}

test('lost datagrams give the address to no second box', () => {
  for (let seed = 0; seed < 10; seed++) {
    const site = new Site(seed, 3);
    site.sim.network.loss = 0.2;
    site.run(60_000);
    assert.equal(site.doubleMs, 0, `seed ${seed}`);
  }
});

test('a process that hangs and goes on has the address never beside another one', () => {
  for (let seed = 0; seed < 30; seed++) {
    const site = new Site(seed, 3);
    const [first] = site.boxes;
    site.sim.stall(first!.node);
    site.run(500 + site.sim.random() * 9500);
    site.resume(first!);
    site.run(20_000);
    assert.equal(site.doubleMs, 0, `seed ${seed}`);
    assert.equal(site.holders.length, 1, `seed ${seed}`);
  }
});

test('a partition has two holders only until the two sides meet', (context) => {
  let doubleMs = 0;
  for (let seed = 0; seed < 20; seed++) {
    const site = new Site(seed, 3);
    const [first, ...others] = site.boxes.map(({ node }) => node.endpoint.address);
    site.isCut = true;
    site.sim.isCut = (from, to) => (from.address === first) !== (to.address === first);
    assert.ok(others.length === 2 && site.run(10_000, () => site.holders.length === 2));
    site.run(2000 + site.sim.random() * 20_000);
    site.isCut = false;
    site.sim.isCut = () => false;
    site.run(20_000);
    doubleMs = Math.max(doubleMs, site.doubleMs);
    // Membership heals in seven seconds at most.
    assert.ok(site.doubleMs < 7000, `seed ${seed}: ${site.doubleMs} ms`);
    assert.deepEqual(site.holders, ['n1'], `seed ${seed}`);
  }
  context.diagnostic(`two holders for at most ${doubleMs} ms after the partition`);
});
