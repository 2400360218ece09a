// How long this machine leaves a process waiting that is due: a control beside a benchmark. It sleeps
// two milliseconds again and again, with real-time priority where that is allowed, so that what it
// waits beyond them is the machine's doing and not the load's. Prints the waits when told to end.

import { Longest, wallMs } from './clock.ts';

const SLEEP_MS = 2;
const [, , durationMs = '1000'] = process.argv;

const cell = new Int32Array(new SharedArrayBuffer(4));
const waits = new Longest();
const until = wallMs() + Number(durationMs);
let max = 0;
for (let before = wallMs(); before < until; ) {
  Atomics.wait(cell, 0, 0, SLEEP_MS);
  const now = wallMs();
  const wait = now - before - SLEEP_MS;
  max = Math.max(max, wait);
  waits.add(wait);
  before = wallMs();
}
process.stdout.write(`${JSON.stringify({ max, waits: waits.list() })}\n`);
