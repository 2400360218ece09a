// `npm run test:chaos -- [--minutes 5] [--round 5] [--nodes 3] [--seed N] [--out FOLDER] [--options drawn|fixed] [--data all|none|n1,n2]
// [--bundle FILE] [--before COMMIT] [--flag=-encrypt ...]`: torments a cluster of real nodes and clients, checks the
// history, and prints each rule with what it looked at. A long run consists of rounds: each ends with a
// quiet time, and the next one begins with other options. Round K of seed N draws what the first round of seed N + K draws.
// Exits with 1 if a rule is broken. Needs root, iproute2, nft, strace, mosquitto's clients and Paho.

import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { bundleOfCommit, COMMIT_BEFORE } from '../support/bundles.ts';
import { missingPrivilege } from '../support/network.ts';
import { seededRandom } from '../support/random.ts';
import { BUNDLE } from '../support/shoal-process.ts';
import { check, isHeld, type RuleName, type Verdict } from './checker.ts';
import { type ChaosEvent, History } from './history.ts';
import { restartAll, torment } from './nemesis.ts';
import { knowMembers, observe, sampleAll } from './observer.ts';
import { drawData, drawFlags, fixedFlags, type SiteFlags } from './options.ts';
import { page } from './report/page.ts';
import type { LogLine } from './report/story.ts';
import { fakeClockLibrary, type Program, Site } from './site.ts';
import { StarvationMeter } from './starvation.ts';
import { Workload } from './workload.ts';

const LOOK_EVERY_MS = 1000;
/** What comes once too often comes within this time. */
const ONCE_MORE_MS = 2000;
const LOAD_AFTER_FAULTS_MS = 5000;
const SAMPLE_EVERY_MS = 1000;
const MINUTE_MS = 60_000;
/** A service manager waits as long before it starts again what has ended. */
const RESTART_MS = 1000;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    /** Minutes of a round at most. */
    round: { type: 'string', default: '5' },
    nodes: { type: 'string', default: '3' },
    seed: { type: 'string', default: String(Date.now() % 100_000) },
    out: { type: 'string' },
    bundle: { type: 'string', default: BUNDLE },
    /** Commit of the bundle with which the nodes begin; `none`: without an upgrade. */
    before: { type: 'string', default: COMMIT_BEFORE },
    /** `fixed`: -shared=cluster and -roaming on all nodes, all with a data folder. */
    options: { type: 'string', default: 'drawn' },
    /** The nodes with a data folder, instead of those that the seed draws. */
    data: { type: 'string' },
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
const names = Array.from({ length: Number(values.nodes) }, (_, i) => `n${i + 1}`);
const bundleBefore = values.before === 'none' ? undefined : bundleOfCommit(values.before);
if (bundleBefore === undefined && values.before !== 'none')
  say(`no ${values.before} in this clone: the nodes begin as they end`);
if (fakeClockLibrary() === undefined) say('no libfaketime on this machine: clocks do not step');
const isFixed = values.options === 'fixed';
let isEnding = false;
/** Index of the first event of the round. */
let roundBegins = 0;
const site = new Site({
  names,
  withData: nodesWithData(),
  // Before the upgrade: what both releases know.
  programs: programs(bundleBefore ?? values.bundle, fixedFlags(names)),
  onLine: (origin, line) => {
    log.push({ at: history.now, origin, line });
    const [, text] = /level=error event=(.*)/.exec(line) ?? [];
    if (text !== undefined) history.add({ kind: 'error', node: origin, text });
  },
  onStart: (node, hasData, flags) => history.add({ kind: 'start', node, hasData, flags }),
  onEnd: (node, { code, signal }, by) => {
    history.add({ kind: 'ended', node, code, signal, by });
    if (by === 'itself') say(`ENDED BY ITSELF: ${node}, ${signal ?? code}`);
    if (by === 'itself') setTimeout(() => isEnding || site.start(node), RESTART_MS);
  },
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void end().finally(() => process.exit(130)));
}

let isComplete = true;
try {
  await run();
} catch (error) {
  // What has happened until now is worth a verdict all the same.
  isComplete = false;
  console.error(error);
} finally {
  await end();
}
const verdicts = judge();
const isSound = verdicts.every(({ looked, violations }) => looked > 0 && violations.length === 0);
process.exit(isComplete && isSound ? 0 : 1);

async function end(): Promise<void> {
  isEnding = true;
  await site.end();
}

function nodesWithData(): readonly string[] {
  if (values.data === 'none') return [];
  if (values.data === 'all' || (isFixed && values.data === undefined)) return names;
  if (values.data !== undefined) return values.data.split(',');
  return drawData(names, seededRandom(seed + 3));
}

function programs(bundle: string, { flags }: SiteFlags): Map<string, Program> {
  return new Map(
    names.map((name) => [name, { bundle, flags: [...flags.get(name)!, ...values.flag] }]),
  );
}

async function run(): Promise<void> {
  const data = names.filter((name) => site.hasData(name)).join(',') || 'none';
  say(`seed ${seed}: ${names.length} nodes, ${values.minutes} minutes, --data ${data}`);
  await site.begin();
  // Each has a generator of its own, so that the faults do not depend on the speed of the machine.
  const workload = new Workload(site, history, seededRandom(seed + 1));
  await workload.begin();
  const sampling = startSampling(workload);
  const minutes = Number(values.minutes);
  const roundMinutes = Number(values.round);
  for (let round = 0, left = minutes; round === 0 || left > 0; round++) {
    await runRound(workload, round, Math.min(roundMinutes, left));
    // All the time counts in a run of several rounds.
    left = minutes <= roundMinutes ? 0 : minutes - history.now / MINUTE_MS;
  }
  clearInterval(sampling);
  await workload.end();
}

function judge(): Verdict[] {
  const found = check(history.events);
  for (const verdict of found) sayVerdict(verdict);
  if (values.out !== undefined) save(values.out, found);
  return found;
}

async function runRound(workload: Workload, round: number, minutes: number): Promise<void> {
  const random = seededRandom(seed + round);
  roundBegins = history.events.length;
  const drawn = isFixed ? fixedFlags(names) : drawFlags(names, seededRandom(seed + round + 2));
  say(`round ${round}: ${describe(drawn)}`);
  history.add({ kind: 'round', shared: drawn.shared });
  await workload.resume(round, drawn.isLarge);
  const next = { programs: programs(values.bundle, drawn), random, say };
  if (bundleBefore !== undefined && round === 0) await restartAll(site, history, 'upgrade', next);
  else if (!isFixed) await restartAll(site, history, 'new options', next);
  await torment(site, history, { seconds: minutes * 60, random, say });
  await delay(LOAD_AFTER_FAULTS_MS);
  await workload.stop();
  await settle(workload, drawn.shared);
  await workload.endRound();
}

function describe({ flags }: SiteFlags): string {
  const texts = names.map((name) => flags.get(name)!.join(' '));
  if (new Set(texts).size === 1) return texts[0]!;
  return names.map((name, i) => `${name}: ${texts[i]}`).join('; ');
}

/** Nothing breaks any more: waits for what is promised then, and for what must not follow. */
async function settle(workload: Workload, shared: SiteFlags['shared']): Promise<void> {
  await until('every acknowledged message has come', () =>
    isHeld(recent(), 'no acknowledged message is lost at its node'),
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
    return isHeld([...recent(), ...seen.events], ...agreed);
  });
  history.append(seen);
  history.add({ kind: 'quiet' });
  await workload.loseRoamers();
  await until('the wills have come', () => isHeld(recent(), 'a will is published once'));
  const members = await workload.beginCrew();
  if (shared === 'cluster') {
    await until('all nodes know the workers', () => knowMembers(site, members));
  }
  await workload.callAll((isSo) => until('all nodes hear all nodes', isSo));
  await workload.publishJobs();
  await until('the messages have come and the jobs are done', () =>
    isHeld(
      recent(),
      'a message reaches every node of a quiet cluster, once',
      'a job of a shared group is done once',
    ),
  );
  await delay(ONCE_MORE_MS);
}

/**
 * What decides whether the clients of this round have got what they wait for. A look at the whole history of an hour would hold up
 * the clients, which run in this process, until their nodes take them for dead.
 */
function recent(): ChaosEvent[] {
  const lasting = ['start', 'ended', 'subscribed'];
  const before = history.events.slice(0, roundBegins).filter(({ kind }) => lasting.includes(kind));
  return [...before, ...history.events.slice(roundBegins)];
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
  const file = openSync(join(folder, 'history.jsonl'), 'w');
  history.writeTo(file);
  closeSync(file);
  const lines = log.map(({ at, origin, line }) => `${(at / 1000).toFixed(1)} ${origin} ${line}\n`);
  writeFileSync(join(folder, 'nodes.log'), lines.join(''));
  writeFileSync(join(folder, 'report.html'), page(history.events, found, log, `seed ${seed}`));
  say(`history, log and page are in ${folder}`);
}

function say(line: string): void {
  console.log(`${new Date().toISOString().slice(11, 19)} ${line}`);
}
