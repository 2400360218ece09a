// What breaks: one fault after the other, now and then two at once, each for some seconds, drawn from a
// seeded generator so that a run can be had again. After each fault the site is left alone for a while, so
// that both what happens during a fault and the way back are in the history.

import { setTimeout as delay } from 'node:timers/promises';
import type { History } from './history.ts';
import type { Program, Site } from './site.ts';

/** Up to an hour, both ways. */
const CLOCK_STEP_SECONDS_MAX = 3600;
const DESCRIPTORS = 20_000;
const LAST_PARTITION_MS = 10_000;

type Random = () => number;

interface Fault {
  /** Breaks something at the named boxes. @returns mends it */
  begin(site: Site, boxes: readonly string[], random: Random): Promise<() => Promise<void>>;
  /** How many boxes it takes; 0: all of them. */
  readonly boxes: number;
}

export const FAULTS: Readonly<Record<string, Fault>> = {
  'kill -9': {
    boxes: 1,
    async begin(site, [box = '']) {
      await site.kill(box);
      return async () => {
        site.start(box);
        await site.untilOpen(box);
      };
    },
  },
  'all boxes off': {
    boxes: 0,
    async begin(site, boxes) {
      await Promise.all(boxes.map((box) => site.kill(box)));
      return async () => {
        for (const box of boxes) site.start(box);
        await Promise.all(boxes.map((box) => site.untilOpen(box)));
      };
    },
  },
  SIGSTOP: {
    boxes: 1,
    async begin(site, [box = '']) {
      site.signal(box, 'SIGSTOP');
      return async () => site.signal(box, 'SIGCONT');
    },
  },
  'disk full': {
    boxes: 1,
    async begin(site, [box = '']) {
      site.fillDisk(box);
      return async () => site.freeDisk(box);
    },
  },
  'slow disk': {
    boxes: 1,
    begin: (site, [box = '']) => site.slowDisk(box),
  },
  'clock steps': {
    boxes: 1,
    async begin(site, [box = ''], random) {
      site.setClock(box, Math.round((random() - 0.5) * 2 * CLOCK_STEP_SECONDS_MAX));
      return async () => site.setClock(box, 0);
    },
  },
  'no descriptors left': {
    boxes: 1,
    async begin(site, [box = '']) {
      site.limitDescriptors(box, site.descriptors(box) + 2);
      return async () => site.limitDescriptors(box, DESCRIPTORS);
    },
  },
  'new address': {
    boxes: 1,
    async begin(site, [box = '']) {
      const before = site.network.address(box);
      site.network.moveTo(
        box,
        before.replace(/\d+$/, (last) => String(Number(last) + 50)),
      );
      return async () => site.network.moveTo(box, before);
    },
  },
  partition: filter((site, box) => site.network.cut(box, others(site, box))),
  'one dead link': filter((site, box, random) =>
    site.network.cut(box, [pick(others(site, box), random)]),
  ),
  'datagrams lost on arrival': filter((site, box, random) =>
    site.network.lose(box, 10 + Math.floor(random() * 40)),
  ),
  'gossip blocked on arrival': filter((site, box) => site.network.blockPort(box, 'in', 7946)),
  'gossip blocked on the way out': filter((site, box) => site.network.blockPort(box, 'out', 7946)),
  'sync blocked on arrival': filter((site, box) => site.network.blockPort(box, 'in', 7947)),
  'sync blocked on the way out': filter((site, box) => site.network.blockPort(box, 'out', 7947)),
  'small MTU': filter((site, box) => site.network.dropLarger(box, 700)),
};

function filter(apply: (site: Site, box: string, random: Random) => void): Fault {
  return {
    boxes: 1,
    async begin(site, [box = ''], random) {
      apply(site, box, random);
      return async () => site.network.heal(box);
    },
  };
}

/**
 * Restarts one node after the other, under load, as an operator does with a new release or with other options.
 * @param what its name in the history
 */
export async function restartAll(
  site: Site,
  history: History,
  what: 'upgrade' | 'new options',
  {
    programs,
    random,
    say,
  }: {
    programs: ReadonlyMap<string, Program>;
    random: Random;
    say: (line: string) => void;
  },
): Promise<void> {
  for (const [box, program] of programs) {
    // Nodes of both kinds work together for a while.
    await delay(2000 + random() * 3000);
    say(`${what}: ${box}`);
    history.add({ kind: 'fault', what, target: box, phase: 'begin' });
    await site.replace(box, program);
    history.add({ kind: 'fault', what, target: box, phase: 'end' });
  }
}

/** Breaks and mends until the time is over; when it returns, everything is mended. */
export async function torment(
  site: Site,
  history: History,
  { seconds, random, say }: { seconds: number; random: Random; say: (line: string) => void },
): Promise<void> {
  // Counts the pauses alone, so that a slow machine gets the same faults.
  let pausedMs = 0;
  const pause = async (ms: number): Promise<void> => {
    pausedMs += ms;
    await delay(ms);
  };
  while (pausedMs < seconds * 1000) {
    const count = random() < 0.25 ? 2 : 1;
    const free = [...site.names];
    const chosen = Array.from({ length: count }, () => pick(Object.keys(FAULTS), random));
    const mends = [];
    for (const what of chosen.includes('all boxes off') ? ['all boxes off'] : chosen) {
      mends.push(await breakOne(site, history, what, free, random, say));
    }
    await pause(1000 + random() * 9000);
    for (const mend of mends) await mend();
    await pause(2000 + random() * 6000);
  }
  // The last one is a partition in which the others take the box for offline, so that its end shows
  // the way back of membership and of state: a restart later on would hide a fault in it.
  const mend = await breakOne(site, history, 'partition', [...site.names], random, say);
  await delay(LAST_PARTITION_MS);
  await mend();
}

async function breakOne(
  site: Site,
  history: History,
  what: string,
  free: string[],
  random: Random,
  say: (line: string) => void,
): Promise<() => Promise<void>> {
  const fault = FAULTS[what]!;
  const boxes = fault.boxes === 0 ? free.splice(0) : [takeOne(free, random)];
  const target = boxes.join(', ');
  say(`${what}: ${target}`);
  history.add({ kind: 'fault', what, target, phase: 'begin' });
  const mend = await fault.begin(site, boxes, random);
  return async () => {
    await mend();
    history.add({ kind: 'fault', what, target, phase: 'end' });
  };
}

function takeOne(from: string[], random: Random): string {
  return from.splice(Math.floor(random() * from.length), 1)[0]!;
}

function pick<T>(from: readonly T[], random: Random): T {
  return from[Math.floor(random() * from.length)]!;
}

function others(site: Site, box: string): string[] {
  return site.names.filter((name) => name !== box);
}
