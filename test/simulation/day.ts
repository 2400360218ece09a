// Days of a site on the simulator's clock: three nodes with devices and visitors, whose names are new each time, and a
// fourth node that comes and goes. After each hour it prints the memory of the process and what the nodes count of it,
// and at the end what has grown in the second half, by constructor. What grows with the number of visitors, and not
// with those who are there, shows here within minutes. Exit code 0: the
// largest heap of the second half is about that of the first.
//   node --import tsx test/simulation/day.ts [--hours 24] [--visitors 1]   visitors a second on each node

import { parseArgs } from 'node:util';
import { grown, heapClasses, usedBytes } from '../support/heap-summary.ts';
import { syncKeys } from '../support/sync-fixtures.ts';
import { SimulatedDay } from './simulated-day.ts';

const MIB = 1_048_576;
const SHOWN = 15;
/** Generations of topics and lists of subscribers come and go, and not at the same time on all nodes. */
const TOLERANCE = 1.15;

const { values } = parseArgs({
  options: {
    hours: { type: 'string', default: '24' },
    visitors: { type: 'string', default: '1' },
  },
});
const hours = Number(values.hours);
const half = Math.ceil(hours / 2);
const inMib = (bytes: number): string => `${(bytes / MIB).toFixed(1)} MiB`;
const day = new SimulatedDay(await syncKeys('day'), Number(values.visitors));
const heaps: number[] = [];
let middle = heapClasses();
for (let hour = 1; hour <= hours; hour++) {
  day.hour();
  // Timers of the cores that ended with their node.
  await new Promise((resolve) => setImmediate(resolve));
  heaps.push(usedBytes());
  const parts = Object.entries(day.counted()).map(([what, bytes]) => `${what} ${inMib(bytes)}`);
  console.log(`${hour} h: ${inMib(heaps.at(-1)!)}; ${parts.join(', ')}`);
  if (hour === half) middle = heapClasses();
}
console.log('grown in the second half:');
for (const { name, count, bytes } of grown(middle, heapClasses(), SHOWN)) {
  const columns = [(bytes / 1024).toFixed(0).padStart(8), String(count).padStart(8)];
  console.log(`${columns.join(' KiB ')}  ${name.slice(0, 60)}`);
}
const halves = [heaps.slice(0, half), heaps.slice(half)];
const [first, second] = halves.map((part) => Math.max(...part));
console.log(`largest heap: ${inMib(first!)} in the first half, ${inMib(second!)} in the second`);
process.exitCode = second! <= TOLERANCE * first! ? 0 : 1;
