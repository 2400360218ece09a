// `npm run test:chaos -- [--minutes 5] [--nodes 3] [--seed N] [--out FOLDER] [--bundle FILE] [--before COMMIT]
// [--flag=-sync=multicast ...]`: torments a cluster of real nodes and clients, checks the history, and prints each rule with what it looked
// at. Exits with 1 if a rule is broken. Needs root, iproute2, nft, strace, mosquitto's clients and Paho.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { missingPrivilege } from '../support/network.ts';
import { seededRandom } from '../support/random.ts';
import { BUNDLE } from '../support/shoal-process.ts';
import { bundleOfCommit, COMMIT_BEFORE } from './bundles.ts';
import { check, isHeld, type RuleName, type Verdict } from './checker.ts';
import { History } from './history.ts';
import { torment, upgrade } from './nemesis.ts';
import { knowMembers, observe, sampleAll } from './observer.ts';
import { page } from './report/page.ts';
import type { LogLine } from './report/story.ts';
import { fakeClockLibrary, Site } from './site.ts';
import { StarvationMeter } from './starvation.ts';
import { Workload } from './workload.ts';

const LOOK_EVERY_MS = 1000;
/** What comes once too often comes within this time. */
const ONCE_MORE_MS = 2000;
const LOAD_AFTER_FAULTS_MS = 5000;
const SAMPLE_EVERY_MS = 1000;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    nodes: { type: 'string', default: '3' },
    seed: { type: 'string', default: String(Date.now() % 100_000) },
    out: { type: 'string' },
    bundle: { type: 'string', default: BUNDLE },
    /** Commit of the bundle with which the nodes begin; `none`: without an upgrade. */
    before: { type: 'string', default: COMMIT_BEFORE },
    /** One more flag for every node. */
    flag: { type: 'string', multiple: true, default: [] },
    /** Seconds for a promise of "in the end". Nodes need some; those of a slow machine need more. */
    patience: { type: 'string', default: '120' },
  },
});

const missing = missingPrivilege('nft', 'strace', 'mosquitto_sub', 'mosquitto_pub');
if (missing) {
  console.error(`the chaos test ${missing}`);
  process.exit(2);
}
const seed = Number(values.seed);
const history = new History();
const log: LogLine[] = [];
const bundleBefore = values.before === 'none' ? values.bundle : bundleOfCommit(values.before);
if (bundleBefore === undefined)
  say(`no ${values.before} in this clone: the nodes begin as they end`);
if (fakeClockLibrary() === undefined) say('no libfaketime on this machine: clocks do not step');
// What waits for an absent reader is never too much, so that each message that is missing is lost.
const ROOM_TO_WAIT = '-max-queued-messages=10000';
const site = new Site({
  nodes: Number(values.nodes),
  flags: ['-shared=cluster', '-roaming', ROOM_TO_WAIT, ...values.flag],
  bundle: bundleBefore ?? values.bundle,
  onLine: (origin, line) => log.push({ at: history.now, origin, line }),
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
const isSound = verdicts.every(({ looked, violations }) => looked > 0 && violations.length === 0);
process.exit(verdicts.length > 0 && isSound ? 0 : 1);

async function run(): Promise<Verdict[]> {
  say(`seed ${seed}: ${values.nodes} nodes, ${values.minutes} minutes`);
  await site.begin();
  // Each has a generator of its own, so that the faults do not depend on the speed of the machine.
  const workload = new Workload(site, history, seededRandom(seed + 1));
  await workload.begin();
  const sampling = startSampling(workload);
  const random = seededRandom(seed);
  if (values.before !== 'none')
    await upgrade(site, history, { bundle: values.bundle, random, say });
  await torment(site, history, { seconds: Number(values.minutes) * 60, random, say });
  await delay(LOAD_AFTER_FAULTS_MS);
  await workload.stop();
  await settle(workload);
  clearInterval(sampling);
  await workload.end();
  const found = check(history.events);
  for (const verdict of found) sayVerdict(verdict);
  if (values.out !== undefined) save(values.out, found);
  return found;
}

/** Nothing breaks any more: waits for what is promised then, and for what must not follow. */
async function settle(workload: Workload): Promise<void> {
  await until('every acknowledged message has come', () =>
    isHeld(history.events, 'no acknowledged message is lost at its node'),
  );
  await delay(ONCE_MORE_MS);
  let seen = new History(history.now);
  await until('the nodes agree', async () => {
    seen = await observe(site, history.now);
    const agreed: RuleName[] = [
      'all nodes see all nodes',
      'retained values are equal on all nodes, and the newest',
      'a client identifier is connected at one node',
    ];
    return isHeld([...history.events, ...seen.events], ...agreed);
  });
  history.append(seen);
  history.add({ kind: 'quiet' });
  await workload.loseRoamers();
  await until('the wills have come', () => isHeld(history.events, 'a will is published once'));
  const members = await workload.beginCrew();
  await until('all nodes know the workers', () => knowMembers(site, members));
  await workload.publishJobs();
  await until('the jobs are done', () =>
    isHeld(history.events, 'a job of a shared group is done once'),
  );
  await delay(ONCE_MORE_MS);
}

/** What has not come in time is for the checker to find. */
async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const begunAt = performance.now();
  let isReached = await isSo();
  while (!isReached && performance.now() - begunAt < Number(values.patience) * 1000) {
    await delay(LOOK_EVERY_MS);
    isReached = await isSo();
  }
  const seconds = Math.round((performance.now() - begunAt) / 1000);
  say(`${what}: ${isReached ? `after ${seconds} s` : 'no'}`);
}

function startSampling(workload: Workload): NodeJS.Timeout {
  const meter = new StarvationMeter(history);
  return setInterval(() => {
    sampleAll(site, history);
    const processes = site.names.map((name) => [name, site.pidOf(name)] as const);
    meter.measure(new Map([...processes, ['pinger', workload.pingerPid]]));
  }, SAMPLE_EVERY_MS);
}

function sayVerdict({ rule, looked, violations, measured }: Verdict): void {
  const isProven = violations.length === 0 && looked > 0;
  const figures = [String(looked), ...(measured === undefined ? [] : [measured])].join('; ');
  say(`${isProven ? 'holds ' : 'BROKEN'}  ${rule} (${figures})`);
  for (const { text, at } of violations.slice(0, 10)) {
    say(`          ${text}, at ${(at / 1000).toFixed(1)} s`);
  }
  if (violations.length > 10) say(`          and ${violations.length - 10} more`);
}

function save(folder: string, found: readonly Verdict[]): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'history.jsonl'), history.toString());
  const lines = log.map(({ at, origin, line }) => `${(at / 1000).toFixed(1)} ${origin} ${line}\n`);
  writeFileSync(join(folder, 'nodes.log'), lines.join(''));
  writeFileSync(join(folder, 'report.html'), page(history.events, found, log, `seed ${seed}`));
  say(`history, log and page are in ${folder}`);
}

function say(line: string): void {
  console.log(`${new Date().toISOString().slice(11, 19)} ${line}`);
}
