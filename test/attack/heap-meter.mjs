// Measures what a node has in use: collects all garbage twice a minute and notes what is left. V8 itself
// collects the old generation of a node at work a few times an hour, and between two collections garbage
// looks like growth. It is loaded into the node: node --expose-gc --import .../heap-meter.mjs, with the name
// of a file in HEAP_METER; there each line is the heap and the buffers outside it, in bytes.

import { appendFileSync } from 'node:fs';

const file = process.env.HEAP_METER;

function collect() {
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  appendFileSync(file, `${heapUsed + external}\n`);
}

if (file !== undefined) {
  collect();
  setInterval(collect, 30_000).unref();
}
