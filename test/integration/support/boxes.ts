// The three boxes of the README: addresses and command lines come from its text, so that the tests run
// what it shows. Default ports, each box in a namespace of its own.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Network } from '../../support/network.ts';
import { allSeeEachOther, type Node, type Scenario } from './scenario.ts';

const README = resolve(import.meta.dirname, '../../../README.md');
const COMMAND = /^ +(box\d) \(([\d.]+)\)\$ node shoal\.js (.+)$/gm;

export interface Box {
  readonly name: string;
  readonly address: string;
  readonly flags: readonly string[];
}

export function boxesOfReadme(): Box[] {
  const boxes = [...readFileSync(README, 'utf8').matchAll(COMMAND)].map((match) => {
    const [, name = '', address = '', flags = ''] = match;
    return { name, address, flags: flags.split(' ') };
  });
  assert.equal(boxes.length, 3, 'the README starts three boxes');
  return boxes;
}

export interface ThreeBoxes {
  readonly network: Network;
  readonly boxes: readonly Box[];
  readonly nodes: readonly [Node, Node, Node];
}

/**
 * The boxes, up and in one cluster.
 * @param spare addresses of more hosts
 * @param flags for each box, beside the README's
 */
export async function threeBoxes(
  scene: Scenario,
  { spare = {}, flags = [] }: { spare?: Record<string, string[]>; flags?: string[] } = {},
): Promise<ThreeBoxes> {
  const boxes = boxesOfReadme();
  const hosts = Object.fromEntries(boxes.map(({ name, address }) => [name, [address]]));
  const network = await scene.network({ ...hosts, ...spare });
  // As the README has it made; the boxes run in the scene's folder.
  scene.file('token', `${randomBytes(32).toString('hex')}\n`);
  const [one, two, three] = boxes.map((box) =>
    scene.startOn(box.name, box.name, [...box.flags, ...flags]),
  );
  assert.ok(one !== undefined && two !== undefined && three !== undefined);
  const nodes = [one, two, three] as const;
  await allSeeEachOther(nodes);
  return { network, boxes, nodes: [...nodes] };
}
