// A control beside a benchmark: how late this machine runs a process that is due. It wakes every two
// milliseconds, with real-time priority if allowed, so that the machine causes its delays and not the
// load. It also reads how long the watched process was ready to run but waited for a core.
// Arguments: duration in milliseconds, process id to watch.

import { spawnSync } from 'node:child_process';
import { openSync, readSync } from 'node:fs';
import { Longest, wallMs } from './clock.ts';

const SLEEP_MS = 2;
const [, , durationMs = '1000', watched = 'self'] = process.argv;

const schedstat = openSync(`/proc/${watched}/schedstat`, 'r');
const text = Buffer.alloc(64);

/** @returns milliseconds that the watched process has waited for a core in total */
function waitedMs(): number {
  const length = readSync(schedstat, text, 0, text.length, 0);
  return Number(text.toString('latin1', 0, length).split(' ')[1]) / 1e6;
}

// Only this thread, which sleeps nearly always; the helper threads might not.
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
