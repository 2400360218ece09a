// A site at work: three nodes of one cluster with mixed load and churn, and a fourth that comes and goes.
// Samples resident memory, heap, file descriptors and the delay of the event loop of each node, and judges
// the second half by regression: what grows there would fill a box within days. Exit code 0: nothing grew,
// and clients with a password lost nothing.
//   npm run build && node --import tsx test/attack/day.ts --minutes 60

import { type ChildProcess, fork, spawn } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { setUser } from '../../src/auth/password-file.ts';
import { hashPassword } from '../../src/auth/password-hash.ts';
import { freePorts } from '../support/free-ports.ts';
import { BUNDLE } from '../support/shoal-process.ts';
import { HourInnocents } from './hour-innocents.ts';
import { descriptorsOf, quantile, residentBytes, secondHalf, trendOf } from './trend.ts';

const NODES = ['n1', 'n2', 'n3'];
/** Joins and leaves all the time, under one of these names. */
const GUESTS = ['guest1', 'guest2', 'guest3'];
const GUEST_STAYS_MS = 40_000;
const GUEST_AWAY_MS = 20_000;
const SAMPLE_MS = 5000;
const A_MINUTE = 12;
const RELOAD_MINUTES = 5;
const MB = 1_048_576;
/** Growth of memory in a day, as a share of its mean, that is worth a look. */
const DAY_GROWTH_MAX = 0.5;
/** A shorter run still fills caches and tables in its second half, and is not judged. */
const JUDGED_MINUTES = 40;
const HEAP = '--max-old-space-size=256';
const METER = new URL('./heap-meter.mjs', import.meta.url).href;
/**
 * What nodes remember about names that are gone, clients' and topics', lasts for this long. By default that is
 * a day: an hour would show nothing but how this memory fills.
 */
const TOMBSTONE_TIME = '60s';

interface Ports {
  readonly mqtt: number;
  readonly webSocket: number;
  readonly http: number;
  readonly gossip: number;
  readonly sync: number;
}

/** One minute of a node. */
interface Minute {
  readonly residentMb: number;
  /** Heap and buffers in use, after the last garbage collection (heap-meter.mjs). */
  readonly heapMb: number;
  readonly descriptors: number;
  /** Mean delay of the event loop, ms. */
  readonly delayMs: number;
  readonly diskMb: number;
}

interface Sample extends Omit<Minute, 'delayMs'> {
  readonly delaySum: number;
  readonly delayCount: number;
}

const at = process.argv.indexOf('--minutes');
const minutes = at < 0 ? 60 : Number(process.argv[at + 1]);
const folder = mkdtempSync(join(tmpdir(), 'shoal-day-'));
const startedAt = performance.now();
const now = (): number => (performance.now() - startedAt) / 60_000;
const say = (line: string): boolean => process.stdout.write(`${line}\n`);
const meanOf = (list: readonly number[]): number =>
  list.reduce((sum, one) => sum + one, 0) / list.length;

/** A copy, so that a later build does not change what runs. */
function copyBundle(): string {
  const from = join(BUNDLE, '..');
  mkdirSync(join(folder, 'dist'));
  for (const name of readdirSync(from)) copyFileSync(join(from, name), join(folder, 'dist', name));
  return join(folder, 'dist', 'shoal.js');
}

async function portsOf(): Promise<Ports> {
  const [mqtt = 0, webSocket = 0, http = 0, gossip = 0, sync = 0] = await freePorts(5);
  return { mqtt, webSocket, http, gossip, sync };
}

const seeds: string[] = [];
const heapFileOf = (name: string): string => join(folder, `${name}.heap`);

function startNode(bundle: string, name: string, ports: Ports): ChildProcess {
  const flags = [
    ...[`-nid=${name}`, '-bind=127.0.0.1', `-port=${ports.mqtt}`, `-ws=${ports.webSocket}`],
    ...[`-http=127.0.0.1:${ports.http}`, `-crp=${ports.gossip}`, `-csp=${ports.sync}`],
    ...(seeds.length > 0 ? [`-mbs=${seeds.join(',')}`] : []),
    ...['-csk=Vj3kqT9wPz7nLx2RbYc8', '-encrypt'],
    ...['-large=256K', '-roaming', '-shared=cluster', '-log-level=error'],
    `-tombstone-time=${TOMBSTONE_TIME}`,
    ...[`-auth=${join(folder, 'pw')}`, '-anonymous=true', `-data=${join(folder, name)}`],
  ];
  const log = openSync(join(folder, `${name}.log`), 'a');
  const env = { ...process.env, SHOAL_CONTROL: 'off', HEAP_METER: heapFileOf(name) };
  const node = spawn(process.execPath, [HEAP, '--expose-gc', '--import', METER, bundle, ...flags], {
    env,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  return node;
}

async function untilReady({ http }: Ports): Promise<void> {
  for (const end = performance.now() + 60_000; performance.now() < end; ) {
    const answer = await fetch(`http://127.0.0.1:${http}/readyz`).catch(() => undefined);
    if (answer?.ok) return;
    await pause(100);
  }
  throw new Error('a node is not ready after 60 s');
}

const isRunning = ({ exitCode, signalCode }: ChildProcess): boolean =>
  exitCode === null && signalCode === null;

function folderBytes(path: string): number {
  return readdirSync(path).reduce((sum, name) => {
    const stat = statSync(join(path, name), { throwIfNoEntry: false });
    return sum + (stat?.size ?? 0);
  }, 0);
}

async function sample(name: string, pid: number, { http }: Ports): Promise<Sample> {
  const text = await (await fetch(`http://127.0.0.1:${http}/metrics`)).text();
  const metric = (key: string): number =>
    Number(new RegExp(`^shoal_${key} (\\S+)`, 'm').exec(text)?.[1]);
  return {
    residentMb: residentBytes(pid) / MB,
    heapMb: Number(readFileSync(heapFileOf(name), 'utf8').trimEnd().split('\n').at(-1)) / MB,
    descriptors: descriptorsOf(pid),
    diskMb: folderBytes(join(folder, name)) / MB,
    delaySum: metric('event_loop_delay_seconds_sum'),
    delayCount: metric('event_loop_delay_seconds_count'),
  };
}

/** @param before the last sample before these, if there is one */
function summary(samples: readonly Sample[], before: Sample | undefined): Minute {
  const last = samples.at(-1)!;
  const delay = last.delaySum - (before?.delaySum ?? 0);
  return {
    residentMb: meanOf(samples.map((one) => one.residentMb)),
    heapMb: last.heapMb,
    descriptors: meanOf(samples.map((one) => one.descriptors)),
    diskMb: last.diskMb,
    delayMs: (delay / Math.max(1, last.delayCount - (before?.delayCount ?? 0))) * 1000,
  };
}

/** A node that comes and goes, by SIGTERM and SIGKILL in turn. */
async function guests(bundle: string): Promise<void> {
  for (let visit = 0; now() < minutes; visit++) {
    const guest = startNode(bundle, GUESTS[visit % GUESTS.length]!, await portsOf());
    children.add(guest);
    await pause(GUEST_STAYS_MS);
    guest.kill(visit % 2 === 0 ? 'SIGTERM' : 'SIGKILL');
    await pause(GUEST_AWAY_MS);
    children.delete(guest);
  }
}

/** @returns what grew */
function judge(name: string, all: readonly Minute[]): string[] {
  const half = secondHalf(all);
  const faults: string[] = [];
  for (const [what, unit] of [
    ['residentMb', 'MB'],
    ['heapMb', 'MB'],
    ['descriptors', ''],
    ['diskMb', 'MB'],
    ['delayMs', 'ms'],
  ] as const) {
    const values = half.map((one) => one[what]);
    const { mean, anHour, uncertainty } = trendOf(values, 1);
    const highest = Math.max(...all.map((one) => one[what]));
    const figures = [mean, highest, anHour, uncertainty].map((value) => value.toFixed(2));
    say(
      `${name} ${what}: mean ${figures[0]} ${unit}, highest ${figures[1]}; an hour ${figures[2]} +- ${figures[3]}`,
    );
    const surelyADay = (anHour - uncertainty) * 24;
    const mayGrow = what === 'diskMb' || what === 'delayMs';
    if (!mayGrow && surelyADay > mean * DAY_GROWTH_MAX) faults.push(`${name}: ${what} grows`);
  }
  return faults;
}

function sayServed(name: string, { served }: HourInnocents): void {
  const latency = [0.5, 0.99, 1].map((share) => quantile(served.latenciesMs, share).toFixed(1));
  say(
    `${name} innocents: ${served.latenciesMs.length} messages, p50 ${latency[0]} ms, p99 ${latency[1]}, max ${latency[2]}; ${served.missing} missing; ${served.connectsMs.length} logins, ${served.refused} refused`,
  );
}

const bundle = copyBundle();
const passwords = setUser('', 'innocent', await hashPassword('innocent', 20_000));
writeFileSync(join(folder, 'pw'), passwords, { mode: 0o600 });
const children = new Set<ChildProcess>();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => process.exit(2));
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

const nodes: { name: string; ports: Ports; process: ChildProcess }[] = [];
for (const name of NODES) {
  const ports = await portsOf();
  const node = startNode(bundle, name, ports);
  seeds.push(`127.0.0.1:${ports.gossip}`);
  children.add(node);
  nodes.push({ name, ports, process: node });
  await untilReady(ports);
}
const innocents = nodes.map(
  ({ name, ports }) => new HourInnocents({ host: '127.0.0.1', port: ports.mqtt }, name),
);
for (const innocent of innocents) innocent.start();
const loads = nodes.map(({ name, ports }, i) => {
  const path = fileURLToPath(new URL('./day-load.ts', import.meta.url));
  const others = nodes.filter((one) => one.name !== name).map((one) => one.ports.mqtt);
  const args = [i + 1, ports.http, ports.webSocket, ports.mqtt, ...others].map(String);
  const load = fork(path, [name, ...args], { execArgv: ['--import', 'tsx'] });
  children.add(load);
  return load;
});
void guests(bundle);

const perMinute = nodes.map((): Minute[] => []);
const lastOf: (Sample | undefined)[] = [];
let current: Sample[][] = nodes.map(() => []);
const everyoneRuns = (): boolean => nodes.every((one) => isRunning(one.process));
while (now() < minutes && everyoneRuns()) {
  await pause(SAMPLE_MS);
  for (const [i, { name, ports, process: node }] of nodes.entries()) {
    if (isRunning(node)) current[i]!.push(await sample(name, node.pid!, ports));
  }
  if (current[0]!.length < A_MINUTE) continue;
  for (const [i, samples] of current.entries()) {
    perMinute[i]!.push(summary(samples, lastOf[i]));
    lastOf[i] = samples.at(-1);
  }
  current = nodes.map(() => []);
  const minute = perMinute[0]!.length;
  if (minute % RELOAD_MINUTES === 0) for (const one of nodes) one.process.kill('SIGHUP');
  const columns = perMinute.map((own) => {
    const { residentMb, heapMb, descriptors, delayMs } = own.at(-1)!;
    return `${residentMb.toFixed(0)} MB (heap ${heapMb.toFixed(0)}), ${descriptors.toFixed(0)} fd, ${delayMs.toFixed(1)} ms`;
  });
  say(`${String(minute).padStart(4)} min: ${columns.join(' | ')}`);
}
for (const load of loads) load.kill('SIGKILL');
await Promise.all(innocents.map((innocent) => innocent.stop()));

const faults: string[] = [];
for (const [i, { name, process: node }] of nodes.entries()) {
  if (!isRunning(node)) {
    faults.push(`${name} ended: ${readFileSync(join(folder, `${name}.log`), 'utf8').slice(-2000)}`);
  }
  const grown = judge(name, perMinute[i]!);
  if (now() > JUDGED_MINUTES) faults.push(...grown);
  sayServed(name, innocents[i]!);
  faults.push(...innocents[i]!.faults);
}
for (const fault of faults) say(`FAULT ${fault}`);
const judged = now() > JUDGED_MINUTES ? 'nothing grows' : 'growth is not judged in so short a run';
say(faults.length === 0 ? judged : `${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;
process.exit();
