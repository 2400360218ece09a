// Very many schedules: `tsx test/simulation/long.ts [seeds] [first seed]`. Each seed runs the membership alone
// under random faults (random-schedule.ts) and then a whole site with options of its own (swarm.ts). One seed with
// the transcript of its membership: `tsx test/simulation/long.ts --show <seed>`.

import { promisify } from 'node:util';
import { syncKeys } from '../support/sync-fixtures.ts';
import { runRandomSchedule, transcriptOf } from './random-schedule.ts';
import { runSwarm, swarmTranscriptOf } from './swarm.ts';

const REPORT_EVERY = 100;
const MINUTE_MS = 60_000;
/** Lets the timers of the cores under test expire. */
const endTurn = promisify(setImmediate);

const [first, second] = process.argv.slice(2);
const keys = await syncKeys('swarm');
if (first === '--show') {
  for (const line of transcriptOf(Number(second))) console.log(line);
  for (const line of await swarmTranscriptOf(Number(second), keys)) console.log(line);
} else {
  process.exitCode = (await runAll(Number(first ?? 1000), startOf(second))) > 0 ? 1 : 0;
}

function startOf(text: string | undefined): number {
  return Number(text ?? Math.floor(Math.random() * 1e9));
}

/** @returns how many failed */
async function runAll(seeds: number, start: number): Promise<number> {
  console.log(`${seeds} schedules of each kind from seed ${start}`);
  const began = performance.now();
  let failures = 0;
  for (let done = 1; done <= seeds; done++) {
    const seed = start + done - 1;
    for (const run of [() => runRandomSchedule(seed), () => runSwarm(seed, keys)]) {
      try {
        await run();
      } catch (error) {
        failures += 1;
        console.log(error instanceof Error ? error.message : error);
      }
      await endTurn();
    }
    if (done % REPORT_EVERY > 0 && done < seeds) continue;
    const minutes = (performance.now() - began) / MINUTE_MS;
    console.log(`${done} seeds in ${minutes.toFixed(1)} minutes, ${failures} failures`);
  }
  return failures;
}
