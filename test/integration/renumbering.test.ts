// A site whose boxes all get other addresses within a second, as after a change of the router: they form
// their cluster again by themselves, also where -mbs has the addresses of before.

import { randomBytes } from 'node:crypto';
import { describe } from 'node:test';
import type { Network } from '../support/network.ts';
import { allSeeEachOther, type Node, networkScenario, type Scenario } from './support/scenario.ts';

const TOKEN = `-csk=${randomBytes(24).toString('hex')}`;
const NAMES = ['box1', 'box2', 'box3', 'box4', 'box5'];
const before = (index: number): string => `192.168.1.${101 + index}`;
const after = (index: number): string => `192.168.1.${151 + index}`;
const SEEDS = `-mbs=${NAMES.map((_, index) => before(index)).join(',')}`;
const WAIT_MS_MAX = 60_000;

function boxes(scene: Scenario): Promise<Network> {
  return scene.network(Object.fromEntries(NAMES.map((name, index) => [name, [before(index)]])));
}

function start(scene: Scenario, ...flags: string[]): Node[] {
  return NAMES.map((name) =>
    scene.startOn(name, name, [`-nid=${name}`, TOKEN, '-sys-interval=1', ...flags]),
  );
}

function moveAll(network: Network): void {
  for (const [index, name] of NAMES.entries()) network.moveTo(name, after(index));
}

/** Resolves when each box has all others online at their new addresses. */
async function allMet(scene: Scenario, nodes: readonly Node[]): Promise<void> {
  const met = nodes.map(async (node) => {
    const client = await scene.client(node);
    await client.subscribe('$SYS/broker/cluster/members/+/+');
    const last = (other: string, what: string): string | undefined =>
      client.texts(`$SYS/broker/cluster/members/${other}/${what}`).at(-1);
    const isThere = (other: string, index: number): boolean =>
      other === node.name ||
      (last(other, 'state') === 'alive' && last(other, 'address') === `${after(index)}:7946`);
    await client.until(() => NAMES.every(isThere), 'all others are there', WAIT_MS_MAX);
  });
  await Promise.all(met);
}

describe('all boxes of a site get other addresses', { concurrency: 2 }, () => {
  for (const [how, flags] of [
    ['without -mbs', []],
    ['with the addresses of before in -mbs', [SEEDS]],
  ] as const) {
    networkScenario(`while they run, ${how}`, [], async (scene, context) => {
      const network = await boxes(scene);
      const nodes = start(scene, ...flags);
      await allSeeEachOther(nodes);
      const movedAt = Date.now();
      moveAll(network);
      await allMet(scene, nodes);
      context.diagnostic(`all five met again after ${Date.now() - movedAt} ms`);
    });
  }

  networkScenario('before they start, with those of before in -mbs', [], async (scene) => {
    const network = await boxes(scene);
    moveAll(network);
    const nodes = start(scene, SEEDS);
    await Promise.all(nodes.map(({ process }) => process.mqttPort()));
    await allMet(scene, nodes);
  });
});
