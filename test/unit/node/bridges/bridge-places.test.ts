import assert from 'node:assert/strict';
import { performance } from 'node:perf_hooks';
import { type TestContext, test } from 'node:test';
import { BridgePlaces } from '../../../../src/node/bridges/bridge-places.ts';
import { ClusterClock } from '../../../../src/replica/cluster-clock.ts';
import { MapId } from '../../../../src/replica/codec.ts';
import { Replication } from '../../../../src/replica/replication.ts';

interface Box {
  readonly bootId: bigint;
  readonly places: BridgePlaces;
  /** What this box was chosen for, in order. */
  readonly runs: boolean[];
}

const STEP_MS = 100;
/** Less than a tick of the boxes. */
const DELAY_MS = 500;

/** Boxes whose messages take DELAY_MS, on a clock that only advance() moves. */
class Site {
  readonly #context: TestContext;
  readonly #cores = new Map<bigint, Replication>();
  #onTheWay: { at: number; deliver(): void }[] = [];
  #now = 0;

  constructor(context: TestContext) {
    this.#context = context;
    context.mock.timers.enable({ apis: ['setInterval'] });
    context.mock.method(performance, 'now', () => this.#now);
  }

  box(name: string): Box {
    const bootId = BigInt(this.#cores.size + 1);
    const send = (to: bigint, message: Buffer): void => {
      const deliver = (): void => this.#cores.get(to)?.handleMessage(bootId, message, this.#now);
      this.#onTheWay.push({ at: this.#now + DELAY_MS, deliver });
    };
    const clock = new ClusterClock(0, 0);
    const options = { bootId, nodeName: name, clock, send, messageBytesMax: 1200 };
    const box: Box = { bootId, places: new BridgePlaces(options), runs: [] };
    const core = new Replication(clock);
    core.add(MapId.bridges, box.places);
    this.#cores.set(bootId, core);
    this.#context.after(() => box.places.close());
    return box;
  }

  /** From now on these are the boxes that are online. */
  see(...online: readonly Box[]): void {
    for (const one of online) {
      const others = online.filter((other) => other !== one);
      one.places.setMembers(
        others.map(({ bootId }) => bootId),
        this.#now,
      );
    }
  }

  join({ places, runs }: Box): void {
    const run = (isHere: boolean): number => runs.push(isHere);
    places.add({ name: 'b', lastId: 0, oldestId: 0, dropSent: () => 0, run });
  }

  advance(ms: number): void {
    for (const end = this.#now + ms; this.#now < end; ) {
      this.#now += STEP_MS;
      const due = this.#onTheWay.filter(({ at }) => at <= this.#now);
      this.#onTheWay = this.#onTheWay.filter(({ at }) => at > this.#now);
      for (const { deliver } of due) deliver();
      this.#context.mock.timers.tick(STEP_MS);
    }
  }
}

test('boxes that start together choose the one that came first, and only once', (t) => {
  const site = new Site(t);
  const first = site.box('first');
  const second = site.box('second');
  site.see(first, second);
  site.join(first);
  site.advance(STEP_MS);
  site.join(second);
  site.advance(20_000);
  assert.deepEqual([first.runs, second.runs], [[true], [false]]);
});

test('the next one takes over when the first has gone, and keeps it when the first returns', (t) => {
  const site = new Site(t);
  const first = site.box('first');
  site.join(first);
  site.advance(1000);
  const second = site.box('second');
  site.see(first, second);
  site.join(second);
  site.advance(20_000);
  assert.deepEqual([first.runs, second.runs], [[true], [false]]);
  site.see(second);
  assert.deepEqual(second.runs, [false, true]);
  const returned = site.box('first');
  site.see(second, returned);
  site.join(returned);
  site.advance(20_000);
  assert.deepEqual([second.runs, returned.runs], [[false, true], [false]]);
});
