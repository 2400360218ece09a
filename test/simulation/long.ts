// Many random schedules: `tsx test/simulation/long.ts [seeds] [first seed]`, or one seed with its
// transcript: `tsx test/simulation/long.ts --show <seed>`.

import { runRandomSchedule, transcriptOf } from './random-schedule.ts';

const [first, second] = process.argv.slice(2);
if (first === '--show') {
  console.log(transcriptOf(Number(second)).join('\n'));
} else {
  const seeds = Number(first ?? 1000);
  const start = Number(second ?? Math.floor(Math.random() * 1e9));
  console.log(`${seeds} random schedules from seed ${start}`);
  let failures = 0;
  for (let seed = start; seed < start + seeds; seed++) {
    try {
      runRandomSchedule(seed);
    } catch (error) {
      failures += 1;
      console.log(error instanceof Error ? error.message : error);
    }
  }
  console.log(`${seeds - failures} passed, ${failures} failed`);
  process.exitCode = failures > 0 ? 1 : 0;
}
