// `node --import tsx test/bench/start.ts [file ...]`: how long the bundle takes to listen, and what an
// idle node occupies. Without a file it measures dist/shoal.js, as CommonJS and as an ES module. Several
// files take turns, so that a change of the machine's load meets them all. SHOAL_NODE names the Node.

import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BUNDLE, NODE } from '../support/shoal-process.ts';
import { type Start, startIdle } from './load/idle-start.ts';
import { median } from './table.ts';

const ROUNDS = 15;
const folder = mkdtempSync(join(tmpdir(), 'shoal-bench-'));
try {
  const files = process.argv.length > 2 ? process.argv.slice(2) : bothModuleSystems(folder);
  const { stdout } = spawnSync(NODE, ['--version'], { encoding: 'utf8' });
  console.log(`Node ${stdout.trim()}, medians of ${ROUNDS} starts`);
  const starts = files.map((): Start[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, file] of files.entries()) starts[index]?.push(await startIdle(file));
  }
  for (const [index, file] of files.entries()) console.log(`${line(starts[index] ?? [])}  ${file}`);
} finally {
  rmSync(folder, { recursive: true });
}

function bothModuleSystems(into: string): string[] {
  const names = ['shoal.cjs', 'shoal.mjs'].map((name) => join(into, name));
  for (const name of names) copyFileSync(BUNDLE, name);
  return names;
}

function line(starts: readonly Start[]): string {
  const of = (pick: (start: Start) => number): string => median(starts.map(pick)).toFixed(0);
  const listening = `listening after ${of((start) => start.listeningMs)} ms`;
  const processor = `processor ${of((start) => start.processorMs)} ms`;
  return `${listening}, ${processor}, ${of((start) => start.residentMegabytes)} MB`;
}
