// One table of all kinds of overload: each attack for some seconds on a built node of a cluster of two, with what
// the node's memory and innocent clients notice, and how soon all is as before. Exit code 0: no node ended, no message
// was lost, and each node recovered.
//   npm run test:attack [-- --seconds=5] [words of an attack's name]

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { hashPassword } from '../../src/auth/password-hash.ts';
import { TestAuthority } from '../support/certificates.ts';
import { freePorts } from '../support/free-ports.ts';
import { loopbackFlags, ShoalProcess } from '../support/shoal-process.ts';
import { attacks } from './attacks.ts';
import { type DoorAttack, type Doors, doorAttacks } from './doors.ts';
import { Innocents, type Latencies } from './innocents.ts';
import { residentBytes } from './trend.ts';

const TOKEN = 'LttnJgMpAP0HdWTY2bw0qrst8fmh';
const HOST = '127.0.0.1';
const HEAP = '--max-old-space-size=512';
/** Ahead of other programs, so that a busy machine shows less; only root may do that. */
const AHEAD = process.getuid?.() === 0 ? ['nice', '-n', '-20'] : [];
const MIB = 1_048_576;
const SAMPLE_MS = 100;
const RECOVERY_MS_MAX = 20_000;
const RECOVERY_STEP_MS = 500;
/** As before: a p99 that is no worse than this, or than twice that of the calm node. */
const RECOVERED_MS = 25;
/** Preparation, such as thousands of connections, takes no longer. */
const PREPARE_MS_MAX = 120_000;

/** What bounds each attack of attacks.ts on the MQTT listeners. */
const LISTENER_BOUNDS: Readonly<Record<string, string>> = {
  '1 KB to 300 subscribers that do not read': '-max-queued-bytes, -queue-memory; 512 KiB unread',
  'QoS 1 to 300 subscribers that acknowledge nothing':
    '-max-inflight-messages, -max-queued-messages',
  'a wildcard subscribed to anew, over 100,000 retained': 'work of a turn',
  'SUBSCRIBE and UNSUBSCRIBE with 1,000 filters': '-max-subscriptions; work of a turn',
  '3,000 clients with wills lost at once': '-max-connections; work of a turn',
  'one Client Identifier, taken over all the time': '-ban-connects',
  'packets of 2 bytes, by 50 clients': '-client-byte-rate; work of a turn',
  'new topics of 128 levels, by 20 clients': '-client-message-rate; -topic-levels',
  '300 publishers at full speed': '-client-message-rate, -message-rate',
  'connections without CONNECT, opened and closed': '-connect-rate',
  'TLS handshakes': '-connect-rate',
  'WebSocket upgrades': '-connect-rate',
  'WebSocket frames of a byte, parts of messages without end, by 50 clients':
    '1,024 frames a message; 100 frames in one read',
  'WebSocket pings, by 50 clients': '100 frames in one read',
};

interface Overload extends DoorAttack {
  readonly listener?: 'tls' | 'ws';
}

const overloads: readonly Overload[] = [
  ...Object.entries(LISTENER_BOUNDS).map(([name, bound]): Overload => {
    const attack = attacks.find((one) => one.name === name);
    if (attack === undefined) throw new Error(`no attack has the name ${name}`);
    return { ...attack, bound };
  }),
  ...doorAttacks,
];

const words = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const [, seconds = '5'] = /--seconds=(\d+)/.exec(process.argv.join(' ')) ?? [];

interface Site {
  readonly node: ShoalProcess;
  readonly peer: ShoalProcess;
  readonly doors: Doors;
}

async function startSite(
  { flags = [], listener, hasBridge }: Overload,
  folder: string,
): Promise<Site> {
  const [far = 0] = await freePorts(1);
  const control = join(folder, 'control.sock');
  const users = join(folder, 'users');
  writeFileSync(users, `ann:${await hashPassword('right')}\n`, { mode: 0o600 });
  const common = [`-csk=${TOKEN}`, `-auth=${users}`, '-anonymous=true'];
  const all = [...common, '-http=127.0.0.1:0', `-control=${control}`, ...flags];
  if (listener !== undefined) all.push(`-${listener}=0`);
  if (listener === 'tls') {
    const { cert, key } = new TestAuthority(folder).issue('node', '/CN=node');
    all.push(`-cert=${cert}`, `-key=${key}`);
  }
  if (hasBridge === true) {
    const file = join(folder, 'bridge.toml');
    const rules = 'topics = ["down/# in 0"]\nprotocol = "mqttv311"\nrun-on = "each"';
    writeFileSync(file, `[[bridge]]\nname = "far"\naddress = "mqtt://${HOST}:${far}"\n${rules}\n`);
    all.push(`-config=${file}`);
  }
  const node = new ShoalProcess(loopbackFlags('attacked', ...all), {
    nodeFlags: [HEAP],
    via: AHEAD,
  });
  const gossip = await node.gossipAddress();
  const peer = new ShoalProcess(loopbackFlags('peer', ...common, `-mbs=${gossip}`));
  await peer.waitFor(/cluster online attacked/);
  const doors: Doors = {
    host: HOST,
    port: await node.mqttPort(listener),
    http: Number((await node.httpAddress()).split(':').at(-1)),
    control,
    gossip: Number(gossip.split(':').at(-1)),
    sync: await node.syncPort(),
    far,
    token: TOKEN,
  };
  return { node, peer, doors };
}

async function attackerOf({ name }: Overload, doors: Doors): Promise<ChildProcess> {
  const child = fork(fileURLToPath(import.meta.url), [], {
    execArgv: ['--import', 'tsx'],
    env: { ...process.env, ATTACK: name, DOORS: JSON.stringify(doors) },
  });
  if (child.pid !== undefined) setPriority(child.pid, 10);
  const signal = AbortSignal.timeout(PREPARE_MS_MAX);
  await once(child, 'message', { signal });
  return child;
}

/** The process of an attack. */
async function attack(name: string, doors: Doors): Promise<void> {
  const begin = await overloads.find((one) => one.name === name)?.prepare(doors);
  process.on('message', () => begin?.());
  process.on('disconnect', () => process.exit());
  process.send?.('ready');
}

/** @returns seconds until messages are as quick as before; undefined if they never are */
async function recovery(pair: Innocents, calm: Latencies): Promise<number | undefined> {
  const startedAt = performance.now();
  while (performance.now() - startedAt < RECOVERY_MS_MAX) {
    const { p99 } = await pair.measure(RECOVERY_STEP_MS);
    if (p99 <= Math.max(RECOVERED_MS, 2 * calm.p99)) return (performance.now() - startedAt) / 1000;
  }
  return undefined;
}

interface Outcome {
  readonly cells: readonly string[];
  readonly isWell: boolean;
}

async function run(overload: Overload): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'shoal-overload-'));
  const { node, peer, doors } = await startSite(overload, folder);
  let attacker: ChildProcess | undefined;
  try {
    const pair = await Innocents.connect({ host: HOST, port: await node.mqttPort() });
    const calm = await pair.measure(2000);
    let peak = 0;
    const sampler = setInterval(() => {
      if (node.running) peak = Math.max(peak, residentBytes(node.pid));
    }, SAMPLE_MS);
    attacker = await attackerOf(overload, doors);
    attacker.send('begin');
    const under = await pair.measure(Number(seconds) * 1000);
    attacker.kill('SIGKILL');
    const back = await recovery(pair, calm);
    clearInterval(sampler);
    pair.close();
    const times = [under.p50, under.p99, under.max].map((ms) => ms.toFixed(ms < 10 ? 1 : 0));
    const cells = [
      ...[overload.name, `${Math.round(peak / MIB)}`, `${calm.p99.toFixed(1)}`, ...times],
      ...[String(under.missing), back === undefined ? 'no' : back.toFixed(1), overload.bound],
    ];
    const isWell = node.running && peer.running && under.missing === 0 && back !== undefined;
    return { cells, isWell };
  } finally {
    attacker?.kill('SIGKILL');
    await Promise.all([node.kill(), peer.kill()]);
    rmSync(folder, { recursive: true });
  }
}

async function report(): Promise<boolean> {
  if (AHEAD.length > 0) setPriority(-19);
  const print = (...cells: readonly string[]): boolean =>
    process.stdout.write(`| ${cells.join(' | ')} |\n`);
  print(
    ...['attack', 'memory, MiB', 'calm p99, ms', 'p50', 'p99', 'longest', 'lost'],
    ...['as before after, s', 'bound'],
  );
  print(...Array(9).fill('---'));
  let isWell = true;
  const loads: number[] = [];
  for (const overload of overloads) {
    if (!words.every((word) => overload.name.includes(word))) continue;
    const outcome = await run(overload);
    print(...outcome.cells);
    isWell &&= outcome.isWell;
    loads.push(loadavg()[0] ?? 0);
    await pause(500);
  }
  const [least, most] = [Math.min(...loads), Math.max(...loads)].map((load) => load.toFixed(1));
  process.stdout.write(`\nload of the machine: ${least} to ${most}\n`);
  return isWell;
}

const { ATTACK, DOORS } = process.env;
if (ATTACK !== undefined && DOORS !== undefined) await attack(ATTACK, JSON.parse(DOORS) as Doors);
else process.exit((await report()) ? 0 : 1);
