// Holds docs/sys-topics.md against what two nodes really publish: no topic is missing there, and none
// is told that doesn't exist.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { scenario } from './support/scenario.ts';

const PAGE = resolve(import.meta.dirname, '../../docs/sys-topics.md');
const PREFIX = '$SYS/broker/';

/** The names in the first column; `+` is one level. */
function namesInPage(): string[] {
  const cells = [...readFileSync(PAGE, 'utf8').matchAll(/^\| (`.+?) \|/gm)].map(([, cell]) => cell);
  return cells.flatMap((cell = '') =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
  );
}

const patternOf = (name: string) => new RegExp(`^${name.replaceAll('+', '[^/]+')}$`);

scenario('docs/sys-topics.md lists the $SYS topics, all and only those', async (scene) => {
  const data = join(scene.file('marker', ''), '../data');
  const [node] = await scene.localCluster(2, '-sys-interval=1s');
  assert.ok(node !== undefined);
  const seed = `-mbs=${await node.process.gossipAddress()}`;
  const stored = await scene.startLocal('n3', seed, '-sys-interval=1s', `-data=${data}`);
  await stored.sees('online', node);
  const client = await scene.client(stored);
  await client.subscribe(`${PREFIX}#`);
  // Of the last value in a round; from then on all of them stand retained.
  await client.arrival(`${PREFIX}cluster/peers/wrongMode`);
  await client.arrival(`${PREFIX}storage/accepting`);
  const published = new Set(client.arrivals.map(({ topic }) => topic.slice(PREFIX.length)));
  const names = namesInPage();
  const untold = [...published].filter((one) => !names.some((name) => patternOf(name).test(one)));
  const untrue = names.filter((name) => ![...published].some((one) => patternOf(name).test(one)));
  assert.deepEqual({ untold, untrue }, { untold: [], untrue: [] });
});
