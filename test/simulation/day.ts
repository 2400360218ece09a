// Days of a site on the simulator's clock: three nodes with devices and visitors, whose names are new each time, and a
// fourth node that comes and goes. After each hour come ten quiet minutes, and then the same things are there as after
// the hour before: so no class of the sources may have more objects than after the first hour, but for those that
// remember what is over, which have a bound. What grows with the number of visitors, and not with those who are
// there, shows here within minutes. Prints each count that is wrong. Exit code 0: there is none.
//   node --import tsx test/simulation/day.ts [--hours 24] [--visitors 1]   visitors a second on each node

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { RETIRED_STREAMS_MAX } from '../../src/sync/limits.ts';
import { grown, type HeapClass, heapClasses, usedBytes } from '../support/heap-summary.ts';
import { SITE_REGISTERS_MAX } from '../support/site.ts';
import { syncKeys } from '../support/sync-fixtures.ts';
import { SimulatedDay } from './simulated-day.ts';

const MIB = 1_048_576;
const SHOWN = 15;
const NODES = 3;
/** Of retained versions, clients and groups. */
const MAPS = 3;
const SOURCES = join(import.meta.dirname, '..', '..', 'src');
/** Cleared versions stay for -tombstone-time; each map of a node has room for this number of registers. */
const REGISTERS_MAX = NODES * MAPS * SITE_REGISTERS_MAX;
/** What remembers things that are over, by class: its bound in all three nodes. */
const BOUNDS: ReadonlyMap<string, number> = new Map([
  ['ReplayWindow', NODES * (RETIRED_STREAMS_MAX + 100)],
  ['Register', REGISTERS_MAX],
  // One for each writer that has a register.
  ['WriterLog', REGISTERS_MAX],
  ['Coverage', REGISTERS_MAX],
]);

/** Names of the classes in src. */
function ownClasses(): Set<string> {
  const names = new Set<string>();
  for (const file of readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    const text = readFileSync(join(SOURCES, file), 'utf8');
    for (const [, name] of text.matchAll(/^(?:export )?(?:abstract )?class (\w+)/gm))
      names.add(name!);
  }
  return names;
}

/** Lines on the classes that have more objects than before, though what is there is the same. */
function leaks(
  first: ReadonlyMap<string, HeapClass>,
  now: ReadonlyMap<string, HeapClass>,
): string[] {
  return [...ownClasses()].flatMap((name) => {
    const [before, after] = [first, now].map((classes) => classes.get(name)?.count ?? 0);
    const bound = BOUNDS.get(name) ?? before!;
    return after! <= bound ? [] : [`${name}: ${before} after the first hour, ${after} now`];
  });
}

const { values } = parseArgs({
  options: {
    hours: { type: 'string', default: '24' },
    visitors: { type: 'string', default: '1' },
  },
});
const hours = Number(values.hours);
const inMib = (bytes: number): string => `${(bytes / MIB).toFixed(1)} MiB`;
const day = new SimulatedDay(await syncKeys('day'), Number(values.visitors));
let first: Map<string, HeapClass> | undefined;
for (let hour = 1; hour <= hours; hour++) {
  day.hour();
  day.quiet();
  // Timers of the cores that ended with their node.
  await new Promise((resolve) => setImmediate(resolve));
  const parts = Object.entries(day.counted()).map(([what, bytes]) => `${what} ${inMib(bytes)}`);
  console.log(`${hour} h: ${inMib(usedBytes())}; ${parts.join(', ')}`);
  const classes = heapClasses();
  first ??= classes;
  const found = leaks(first, classes);
  for (const line of found) console.log(`  ${line}`);
  if (found.length > 0) process.exitCode = 1;
  if (hour < hours) continue;
  console.log('grown since the first hour:');
  for (const { name, count, bytes } of grown(first, classes, SHOWN)) {
    const columns = [(bytes / 1024).toFixed(0).padStart(8), String(count).padStart(8)];
    console.log(`${columns.join(' KiB ')}  ${name.slice(0, 60)}`);
  }
}
