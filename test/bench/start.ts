// `node --import tsx test/bench/start.ts [file ...]`: how long the bundle takes to listen, and what an
// idle node occupies. Without a file it measures dist/shoal.js, as CommonJS and as an ES module. Several
// files take turns, so that a change of the machine's load meets them all. SHOAL_NODE names the Node.

import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BUNDLE, loopbackFlags, NODE, ShoalProcess } from '../support/shoal-process.ts';
import { cpuSeconds } from './load/clock.ts';
import { median } from './table.ts';

const ROUNDS = 15;
/** The heap has settled by then: the start's garbage has been collected or will stay. */
const IDLE_MS = 2000;

interface Start {
  readonly listeningMs: number;
  /** Processor time, user and system, until the idle node is looked at. */
  readonly processorMs: number;
  readonly residentMegabytes: number;
}

const folder = mkdtempSync(join(tmpdir(), 'shoal-bench-'));
try {
  const files = process.argv.length > 2 ? process.argv.slice(2) : bothModuleSystems(folder);
  const { stdout } = spawnSync(NODE, ['--version'], { encoding: 'utf8' });
  console.log(`Node ${stdout.trim()}, medians of ${ROUNDS} starts`);
  const starts = files.map((): Start[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, file] of files.entries()) starts[index]?.push(await start(file));
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

/** A cluster of one node, so that deriving the keys from the token counts. */
async function start(bundle: string): Promise<Start> {
  const startedMs = performance.now();
  const shoal = new ShoalProcess(loopbackFlags('n1', '-csk=secret'), { bundle });
  try {
    await shoal.mqttPort();
    const listeningMs = performance.now() - startedMs;
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    return {
      listeningMs,
      processorMs: cpuSeconds(shoal.pid) * 1000,
      residentMegabytes: shoal.residentBytes() / 1024 ** 2,
    };
  } finally {
    await shoal.kill();
  }
}

function line(starts: readonly Start[]): string {
  const of = (pick: (start: Start) => number): string => median(starts.map(pick)).toFixed(0);
  const listening = `listening after ${of((start) => start.listeningMs)} ms`;
  const processor = `processor ${of((start) => start.processorMs)} ms`;
  return `${listening}, ${processor}, ${of((start) => start.residentMegabytes)} MB`;
}
