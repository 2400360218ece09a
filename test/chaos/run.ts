// `npm run test:chaos -- [--minutes 5] [--nodes 3] [--seed N] [--out FOLDER] [--bundle FILE]`: torments a
// cluster of real nodes and clients, checks the history, and prints each rule with what it looked at. Exits
// with 1 if a rule is broken. Needs root, iproute2 and nft.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { missingPrivilege } from '../support/network.ts';
import { seededRandom } from '../support/random.ts';
import { check, type Verdict } from './checker.ts';
import { History } from './history.ts';
import { torment } from './nemesis.ts';
import { observe, sampleAll } from './observer.ts';
import { page } from './report.ts';
import { Site } from './site.ts';
import { Workload } from './workload.ts';

const CONVERGE_MS = 20_000;
const SAMPLE_EVERY_MS = 5000;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    nodes: { type: 'string', default: '3' },
    seed: { type: 'string', default: String(Date.now() % 100_000) },
    out: { type: 'string' },
    bundle: { type: 'string' },
  },
});

const missing = missingPrivilege('nft');
if (missing) {
  console.error(`the chaos test ${missing}`);
  process.exit(2);
}
const random = seededRandom(Number(values.seed));
const history = new History();
const site = new Site({
  nodes: Number(values.nodes),
  flags: ['-shared=cluster', '-roaming'],
  ...(values.bundle && { bundle: values.bundle }),
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void site.end().finally(() => process.exit(130)));
}

let verdicts: Verdict[] = [];
try {
  verdicts = await run();
} finally {
  await site.end();
}
process.exitCode =
  verdicts.length > 0 && verdicts.every(({ violations }) => violations.length === 0) ? 0 : 1;
process.exit();

async function run(): Promise<Verdict[]> {
  say(`seed ${values.seed}: ${values.nodes} nodes, ${values.minutes} minutes`);
  await site.begin();
  const workload = new Workload(site, history, random);
  await workload.begin();
  const sampling = setInterval(() => sampleAll(site, history), SAMPLE_EVERY_MS);
  await torment(site, history, { seconds: Number(values.minutes) * 60, random, say });
  await delay(CONVERGE_MS);
  await workload.stop();
  await delay(CONVERGE_MS / 2);
  clearInterval(sampling);
  history.add({ kind: 'quiet' });
  say('quiet: every node is asked');
  await observe(site, history);
  await workload.loseRoamers();
  await workload.workOffJobs();
  await workload.end();
  const found = check(history.events);
  for (const { rule, looked, violations } of found) {
    say(`${violations.length === 0 ? 'holds ' : 'BROKEN'}  ${rule} (${looked})`);
    for (const violation of violations.slice(0, 10)) say(`          ${violation}`);
    if (violations.length > 10) say(`          and ${violations.length - 10} more`);
  }
  if (values.out !== undefined) save(values.out, found);
  return found;
}

function save(folder: string, found: readonly Verdict[]): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'history.jsonl'), history.toString());
  writeFileSync(join(folder, 'nodes.log'), site.log);
  writeFileSync(join(folder, 'report.html'), page(history.events, found, `seed ${values.seed}`));
  say(`history, log and page are in ${folder}`);
}

function say(line: string): void {
  console.log(`${new Date().toISOString().slice(11, 19)} ${line}`);
}
