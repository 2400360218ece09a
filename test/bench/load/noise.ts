// What this machine does to processes that are due to run: a control beside a benchmark. It wakes up
// every two milliseconds, with real-time priority where that is allowed, so that what it comes too
// late by is the machine's doing and not the load's; and it asks how long the process watched was
// ready to run without its core. Arguments: milliseconds to last, process to watch.

import { spawnSync } from 'node:child_process';
import { openSync, readSync } from 'node:fs';
import { Longest, wallMs } from './clock.ts';

const SLEEP_MS = 2;
const [, , durationMs = '1000', watched = 'self'] = process.argv;

const schedstat = openSync(`/proc/${watched}/schedstat`, 'r');
const text = Buffer.alloc(64);

/** Milliseconds that the process watched has waited for a core in all. */
function waitedMs(): number {
  const length = readSync(schedstat, text, 0, text.length, 0);
  return Number(text.toString('latin1', 0, length).split(' ')[1]) / 1e6;
}

// This thread alone: it sleeps nearly always, while those that help it might not.
spawnSync('chrt', ['-f', '-p', '10', String(process.pid)], { stdio: 'ignore' });

const cell = new Int32Array(new SharedArrayBuffer(4));
const late = new Longest();
const waits = new Longest();
const until = wallMs() + Number(durationMs);
let lateMax = 0;
let waited = waitedMs();
for (let before = wallMs(); before < until; ) {
  Atomics.wait(cell, 0, 0, SLEEP_MS);
  const lateMs = wallMs() - before - SLEEP_MS;
  lateMax = Math.max(lateMax, lateMs);
  late.add(lateMs);
  const soFar = waitedMs();
  waits.add(soFar - waited);
  waited = soFar;
  before = wallMs();
}
spawnSync('chrt', ['-o', '-p', '0', String(process.pid)], { stdio: 'ignore' });
process.stdout.write(`${JSON.stringify({ lateMax, late: late.list(), waits: waits.list() })}\n`);
