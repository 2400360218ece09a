// The story: a cluster forms, messages cross, a node is killed, is noticed, comes back, and messages
// cross again. Each step is over only when it was seen to happen; one that isn't seen in time ends
// the story.

import type { DemoNode, SeenState } from './cluster.ts';
import type { Screen } from './screen.ts';
import type { Traffic } from './traffic.ts';

const LOOK_EVERY_MS = 20;
const FORM_MS_MAX = 10_000;
const CROSS_MS_MAX = 10_000;
/** Three rounds of a second and the time for the first to begin, with room for a busy machine. */
const OFFLINE_MS_MAX = 20_000;
const RETURN_MS_MAX = 10_000;
const MESSAGES_EACH_WAY = 20;

export class StoryError extends Error {}

export interface Stage {
  readonly nodes: readonly DemoNode[];
  readonly traffic: Traffic;
  readonly screen: Screen;
}

export async function tellStory(stage: Stage): Promise<void> {
  const { nodes, traffic, screen } = stage;
  screen.tell('three nodes start; n2 and n3 know only the address of n1');
  for (const node of nodes) await node.start();
  await until('every node sees the two others online', FORM_MS_MAX, () =>
    nodes.every((node) => others(stage, node).every((other) => other.stateOf(node) === 'online')),
  );
  screen.tell('the cluster is complete; a client on each node publishes to all');
  for (const node of nodes) await traffic.connect(node);
  await messagesCross(stage);

  const victim = nodes.at(-1);
  if (victim === undefined) return;
  await killAndNotice(stage, victim);
  await comeBack(stage, victim);
  await messagesCross(stage);
  screen.tell('everything was seen to happen');
}

async function killAndNotice(stage: Stage, victim: DemoNode): Promise<void> {
  const { screen } = stage;
  const killedMs = performance.now();
  await victim.process?.kill();
  screen.tell(`${victim.name} was killed (SIGKILL): three rounds without an answer follow`);
  for (const state of ['suspect', 'offline'] as const) {
    await until(`the others see ${victim.name} ${state}`, OFFLINE_MS_MAX, () =>
      others(stage, victim).every((other) => isAtLeast(other.stateOf(victim), state)),
    );
  }
  const seconds = ((performance.now() - killedMs) / 1000).toFixed(2);
  screen.tell(`${victim.name} is offline on all others ${seconds} s after it was killed`);
}

async function comeBack(stage: Stage, victim: DemoNode): Promise<void> {
  const { screen } = stage;
  screen.tell(`${victim.name} is started again, with the same flags`);
  await victim.start();
  const startedMs = performance.now();
  await until(`${victim.name} is back`, RETURN_MS_MAX, () =>
    others(stage, victim).every(
      (other) => other.stateOf(victim) === 'online' && victim.stateOf(other) === 'online',
    ),
  );
  const ms = Math.round(performance.now() - startedMs);
  screen.tell(`${victim.name} is online again on all nodes, ${ms} ms after it listened`);
}

/** In all six directions, counted from now on. */
async function messagesCross({ nodes, traffic, screen }: Stage): Promise<void> {
  const crossings = nodes.flatMap((from) =>
    nodes.filter((to) => to !== from).map((to) => traffic.crossing(from.name, to.name)),
  );
  const before = crossings.map((crossing) => crossing.messages);
  await until(`${MESSAGES_EACH_WAY} messages cross in each direction`, CROSS_MS_MAX, () =>
    crossings.every(
      (crossing, index) => crossing.messages - (before[index] ?? 0) >= MESSAGES_EACH_WAY,
    ),
  );
  screen.tell(`${MESSAGES_EACH_WAY} messages or more have crossed in each of the six directions`);
}

function others({ nodes }: Stage, node: DemoNode): DemoNode[] {
  return nodes.filter((other) => other !== node);
}

/** Offline comes after suspect, and may be there before we look. */
function isAtLeast(seen: SeenState | undefined, state: 'suspect' | 'offline'): boolean {
  return seen === state || (state === 'suspect' && seen === 'offline');
}

async function until(what: string, msMax: number, holds: () => boolean): Promise<void> {
  const endMs = performance.now() + msMax;
  while (!holds()) {
    if (performance.now() > endMs) {
      throw new StoryError(`not seen within ${msMax / 1000} s: ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
