// All attacks at once on three nodes of one cluster, for as long as one likes. Clients that behave must be
// served all the time, and memory and descriptors must not grow in the second half. Exit code 0: so it was.
// A fourth node is in no cluster and is not attacked: its clients measure what the machine itself costs.
//   npm run build && node --import tsx test/attack/hour.ts --minutes 60 [--anywhere]
// With --anywhere the attacks on memory come from 62,500 addresses instead of 16 hosts.

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
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setUser } from '../../src/auth/password-file.ts';
import { hashPassword } from '../../src/auth/password-hash.ts';
import { BUNDLE } from '../support/shoal-process.ts';
import { HourInnocents } from './hour-innocents.ts';
import { descriptorsOf, quantile, residentBytes, secondHalf, trendOf } from './trend.ts';

const NODES = ['n1', 'n2', 'n3'];
/** In no cluster and under no attack. */
const APART = 'apart';
const SAMPLE_MS = 5000;
const REPORT_EVERY = 12;
const MB = 1_048_576;
/** Growth over the second half that the garbage collector explains. */
const GROWTH_MAX = 0.1;
/** Until then the attacks may still fill what the bounds allow: a shorter run does not judge memory. */
const FILLED_MINUTES = 15;
/** Small enough that each bound is reached within minutes. */
const BOUNDS = [
  ...['-max-connections=2000', '-max-sessions=3000', '-queue-memory=32M', '-retained-bytes=8M'],
  ...['-retained-messages=20000', '-log-level=error'],
];

interface Sample {
  readonly residentBytes: number;
  readonly descriptors: number;
}

const comesFromAnywhere = process.argv.includes('--anywhere');
const at = process.argv.indexOf('--minutes');
const minutes = at < 0 ? 60 : Number(process.argv[at + 1]);
const folder = mkdtempSync(join(tmpdir(), 'attack-hour-'));
const startedAt = performance.now();
const now = (): number => (performance.now() - startedAt) / 60_000;

/** A copy, so that a later build does not change what runs. */
function copyBundle(): string {
  const from = join(BUNDLE, '..');
  mkdirSync(join(folder, 'dist'));
  for (const name of readdirSync(from)) copyFileSync(join(from, name), join(folder, 'dist', name));
  return join(folder, 'dist', 'shoal.js');
}

interface Ports {
  readonly mqtt: number;
  readonly webSocket: number;
  readonly gossip: number;
  readonly sync: number;
  /** Where the attacker records what the node sends: it is among the node's seeds. */
  readonly recording: number;
}

/** Chosen here, because at this log level a node prints none. */
function portsOf(index: number): Ports {
  const first = 30_000 + (process.pid % 1000) * 20 + index * 5;
  return {
    mqtt: first,
    webSocket: first + 1,
    gossip: first + 2,
    sync: first + 3,
    recording: first + 4,
  };
}

async function startNode(bundle: string, name: string, index: number): Promise<ChildProcess> {
  const { mqtt, webSocket, gossip, sync, recording } = portsOf(index);
  const seeds = [`127.0.0.1:${portsOf(0).gossip}`, `127.0.0.1:${recording}`].slice(
    index === 0 ? 1 : 0,
  );
  const cluster = [
    ...[`-crp=${gossip}`, `-csp=${sync}`, `-mbs=${seeds.join(',')}`, '-csk=Vj3kqT9wPz7nLx2RbYc8'],
  ];
  const flags = [
    ...[`-nid=${name}`, '-bind=127.0.0.1', `-port=${mqtt}`, `-ws=${webSocket}`],
    ...(name === APART ? [] : cluster),
    ...[`-auth=${join(folder, 'pw')}`, '-anonymous=true', ...BOUNDS],
    ...(index === 0 ? [`-data=${join(folder, 'data')}`] : []),
  ];
  const log = openSync(join(folder, `${name}.log`), 'w');
  const node = spawn(process.execPath, ['--max-old-space-size=256', bundle, ...flags], {
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  await untilListening(mqtt);
  return node;
}

async function untilListening(port: number): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    const socket = connect({ port, host: '127.0.0.1' });
    const isOpen = await new Promise((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`no node listens on port ${port}`);
}

function attack(index: number): ChildProcess {
  const path = fileURLToPath(new URL('./hour-attacks.ts', import.meta.url));
  const { mqtt, webSocket, gossip, sync, recording } = portsOf(index);
  const args = [mqtt, webSocket, gossip, sync, recording, index + 1].map(String);
  if (comesFromAnywhere) args.push('--anywhere');
  const child = fork(path, args, { execArgv: ['--import', 'tsx'] });
  if (child.pid !== undefined) setPriority(child.pid, 10);
  return child;
}

function isRunning(node: ChildProcess): boolean {
  return node.exitCode === null && node.signalCode === null;
}

function sample({ pid }: ChildProcess): Sample {
  if (pid === undefined) throw new Error('the node did not start');
  return { residentBytes: residentBytes(pid), descriptors: descriptorsOf(pid) };
}

/** Growth over the second half, by linear regression, as a share of the mean. */
function growth(samples: readonly Sample[], value: (sample: Sample) => number): number {
  const values = secondHalf(samples).map(value);
  const everyMinutes = SAMPLE_MS / 60_000;
  const { anHour, mean } = trendOf(values, everyMinutes);
  return (anHour * values.length * everyMinutes) / 60 / mean;
}

function quantiles(values: readonly number[]): string {
  const of = (share: number): string => quantile(values, share).toFixed(1);
  return `p50 ${of(0.5)} ms, p99 ${of(0.99)}, max ${of(1)}`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function logOf(name: string): string {
  return readFileSync(join(folder, `${name}.log`), 'utf8');
}

function sayServed(name: string, { served }: HourInnocents): void {
  const { latenciesMs, connectsMs } = served;
  say(`${name} innocents: ${latenciesMs.length} messages, ${quantiles(latenciesMs)}`);
  say(`${name} logins: ${connectsMs.length}, ${quantiles(connectsMs)}`);
}

/** @returns the faults */
function verdict(
  nodes: readonly ChildProcess[],
  samples: readonly (readonly Sample[])[],
  innocents: readonly HourInnocents[],
): string[] {
  const faults: string[] = [];
  for (const [i, name] of NODES.entries()) {
    const own = samples[i]!;
    const memory = growth(own, ({ residentBytes }) => residentBytes);
    const descriptors = growth(own, (one) => one.descriptors);
    const { served } = innocents[i]!;
    const megabytes = own.map(({ residentBytes }) => Math.round(residentBytes / MB));
    say(`${name} memory: ${Math.max(...megabytes)} MB at most, ${megabytes.at(-1)} MB at the end`);
    const shares = [memory, descriptors].map((share) => `${(share * 100).toFixed(1)} %`);
    say(`${name} growth over the second half: memory ${shares[0]}, descriptors ${shares[1]}`);
    sayServed(name, innocents[i]!);
    if (!isRunning(nodes[i]!)) faults.push(`${name} ended: ${logOf(name).slice(-2000)}`);
    if (memory > GROWTH_MAX && now() > FILLED_MINUTES) faults.push(`${name}: its memory grows`);
    if (descriptors > GROWTH_MAX && now() > FILLED_MINUTES)
      faults.push(`${name}: its descriptors grow`);
    if (served.refused > 0) faults.push(`${name}: ${served.refused} innocent logins were refused`);
    if (served.missing > 0) faults.push(`${name}: ${served.missing} innocent messages are missing`);
    faults.push(...innocents[i]!.faults);
  }
  return faults;
}

const bundle = copyBundle();
const passwords = setUser('', 'innocent', await hashPassword('innocent', 20_000));
writeFileSync(join(folder, 'pw'), passwords, { mode: 0o600 });
const nodes: ChildProcess[] = [];
for (const [index, name] of NODES.entries()) nodes.push(await startNode(bundle, name, index));
const nodeApart = await startNode(bundle, APART, NODES.length);
const innocents = [...NODES, APART].map((name, index) => {
  return new HourInnocents({ host: '127.0.0.1', port: portsOf(index).mqtt }, name);
});
const innocentsApart = innocents.pop()!;
const attackers: ChildProcess[] = [];
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => process.exit(2));
process.once('exit', () => {
  for (const child of [...attackers, ...nodes, nodeApart]) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});
const samples = nodes.map((): Sample[] => []);
for (const innocent of [...innocents, innocentsApart]) innocent.start();
for (const index of NODES.keys()) attackers.push(attack(index));
for (let round = 1; now() < minutes && nodes.every(isRunning); round++) {
  await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
  for (const [i, node] of nodes.entries()) if (isRunning(node)) samples[i]!.push(sample(node));
  if (round % REPORT_EVERY !== 0) continue;
  for (const node of nodes) node.kill('SIGHUP');
  const memory = samples.map((own) => `${Math.round((own.at(-1)?.residentBytes ?? 0) / MB)} MB`);
  const latencies = innocents.flatMap(({ served }) => served.latenciesMs.slice(-1000));
  const refused = innocents.reduce((sum, { served }) => sum + served.refused, 0);
  say(
    `${now().toFixed(0).padStart(3)} min: ${memory.join(', ')}; ${quantiles(latencies)}; ${refused} refused`,
  );
}
for (const attacker of attackers) attacker.kill('SIGKILL');
await Promise.all([...innocents, innocentsApart].map((innocent) => innocent.stop()));
const faults = verdict(nodes, samples, innocents);
sayServed(APART, innocentsApart);
for (const fault of faults) say(`FAULT ${fault}`);
const memory = now() > FILLED_MINUTES ? 'flat memory' : 'memory not judged in so short a run';
say(faults.length === 0 ? `${memory}, innocents served` : `${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;
process.exit();
