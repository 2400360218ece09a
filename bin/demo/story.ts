// The story of the demo: a cluster forms, messages cross, a node is killed, its failure is detected, it
// returns, and messages cross again. A step is complete only when it was observed; a step that is not
// observed in time ends the story with an error.

import type { DemoNode, PeerState } from './cluster.ts';
import type { Screen } from './screen.ts';
import type { Traffic } from './traffic.ts';

const LOOK_EVERY_MS = 20;
/** A node is offline after three rounds of one second; a slow machine may take several times as long. */
const STEP_MS_MAX = 30_000;
const MESSAGES_EACH_WAY = 20;

export interface Stage {
  readonly nodes: readonly DemoNode[];
  readonly traffic: Traffic;
  readonly screen: Screen;
  /** Ends the story at its next step. */
  readonly signal: AbortSignal;
}

/** @throws when a step is not observed in time, and when the signal is aborted */
export async function playStory(stage: Stage): Promise<void> {
  const { nodes, traffic, screen } = stage;
  screen.step('Three nodes start. n2 and n3 know only the address of n1.');
  for (const node of nodes) await node.start();
  await until(stage, 'every node sees the two others online', () =>
    nodes.every((node) => others(stage, node).every((other) => other.stateOf(node) === 'online')),
  );
  screen.step('The cluster is complete. A client on each node publishes to all.');
  for (const node of nodes) await traffic.connect(node);
  await messagesCross(stage);

  const victim = nodes.at(-1);
  if (victim === undefined) return;
  await killAndDetect(stage, victim);
  await comeBack(stage, victim);
  await messagesCross(stage);
}

async function killAndDetect(stage: Stage, victim: DemoNode): Promise<void> {
  const { screen } = stage;
  const killedMs = performance.now();
  await victim.kill();
  screen.step(
    `${victim.name} is killed (kill -9). The others ping it for three more seconds.`,
    'bad',
  );
  for (const state of ['suspect', 'offline'] as const) {
    await until(stage, `the others see ${victim.name} as ${state}`, () =>
      others(stage, victim).every((other) => isAtLeast(other.stateOf(victim), state)),
    );
  }
  const seconds = ((performance.now() - killedMs) / 1000).toFixed(1);
  screen.step(`${victim.name} is offline on both other nodes, ${seconds} s after it was killed.`);
}

async function comeBack(stage: Stage, victim: DemoNode): Promise<void> {
  const { screen } = stage;
  screen.event(`${victim.name} starts again with the same flags`);
  await victim.start();
  const startedMs = performance.now();
  await until(stage, `${victim.name} is back`, () =>
    others(stage, victim).every(
      (other) => other.stateOf(victim) === 'online' && victim.stateOf(other) === 'online',
    ),
  );
  const ms = Math.round(performance.now() - startedMs);
  screen.step(`${victim.name} is back, and online on all nodes ${ms} ms after it listened.`);
}

/** Counts messages in all six directions from now on. */
async function messagesCross(stage: Stage): Promise<void> {
  const { nodes, traffic, screen } = stage;
  const crossings = nodes.flatMap((from) =>
    others(stage, from).map((to) => traffic.crossing(from.name, to.name)),
  );
  const before = crossings.map((crossing) => crossing.messages);
  await until(stage, `${MESSAGES_EACH_WAY} messages cross in each direction`, () =>
    crossings.every(
      (crossing, index) => crossing.messages - (before[index] ?? 0) >= MESSAGES_EACH_WAY,
    ),
  );
  screen.step(`${MESSAGES_EACH_WAY} messages have crossed in each of the six directions.`);
}

function others({ nodes }: Stage, node: DemoNode): DemoNode[] {
  return nodes.filter((other) => other !== node);
}

/** Offline follows suspect, and may already hold when we look. */
function isAtLeast(seen: PeerState | undefined, state: 'suspect' | 'offline'): boolean {
  return seen === state || (state === 'suspect' && seen === 'offline');
}

async function until({ signal }: Stage, what: string, holds: () => boolean): Promise<void> {
  const endMs = performance.now() + STEP_MS_MAX;
  while (!holds()) {
    if (performance.now() > endMs) throw new Error(`not within ${STEP_MS_MAX / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    signal.throwIfAborted();
  }
}
