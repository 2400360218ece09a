// Measures the longest turn of a node's event loop in processor time, which another program on the same
// machine does not stretch. It is loaded into the node: NODE_OPTIONS=--import=.../turn-meter.mjs, with the
// name of a file in TURN_METER; there each line is the longest turn of a second, in milliseconds.
// The time of V8's helper threads counts as well, so that a turn with garbage collection looks longer.

import { appendFileSync } from 'node:fs';

const file = process.env.TURN_METER;
let longestUs = 0;
let lastUs = 0;

function turnEnded() {
  const { user, system } = process.cpuUsage();
  const nowUs = user + system;
  longestUs = Math.max(longestUs, nowUs - lastUs);
  lastUs = nowUs;
  // Keeps the loop turning: a turn ends when this is called again.
  setImmediate(turnEnded).unref();
}

function report() {
  appendFileSync(file, `${(longestUs / 1000).toFixed(1)}\n`);
  longestUs = 0;
}

if (file !== undefined) {
  setImmediate(turnEnded).unref();
  setInterval(report, 1000).unref();
}
