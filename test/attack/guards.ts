// What each guard (docs/guards.md) does for innocent clients under the attack that it is for: how long
// their messages and their logins take without an attack, under it, and under it with the guard.
//   npm run build && node --import tsx test/attack/guards.ts [part of the name of an attack]

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { hashPassword } from '../../src/auth/password-hash.ts';
import { TestAuthority } from '../support/certificates.ts';
import { loopbackFlags, ShoalProcess } from '../support/shoal-process.ts';
import * as wire from '../support/wire.ts';
import { AttackClient, openMany, type Target } from './attack-client.ts';
import { Innocents } from './innocents.ts';

/** Each figure is the median of this many rounds. */
const ROUNDS = 3;
const ROUND_MS = 3_000;
const SETTLE_MS = 1_500;
const LOGIN_EVERY_MS = 100;
const NAME = 'sensor';
/** Connections that the attacker has open at a time. */
const OPEN_MAX = 1000;

/** The node under attack. */
interface Attacked extends Target {
  readonly tlsPort: number;
}

interface Case {
  readonly name: string;
  readonly guard: string;
  /** Begins the attack; it goes on until the process ends. */
  attack(target: Attacked): Promise<void>;
}

function flood(client: AttackClient, topic: string, bytes: number): void {
  const packet = wire.publish(5, { topic, payload: Buffer.alloc(bytes) });
  const chunk = Buffer.concat(Array(Math.ceil(16_384 / packet.length)).fill(packet));
  client.flood(() => chunk);
}

async function readers(target: Target, count: number, isReading: boolean): Promise<void> {
  await openMany(count, async () => {
    const client = await AttackClient.open(target);
    await client.ask(wire.subscribe(5, 1, ['flood']));
    if (!isReading) client.stopReading();
    return client;
  });
}

/** Connects so many times a second from an address, whatever the node does, and leaves at the answer. */
function connects(
  target: Target,
  address: string,
  perSecond: number,
  fields: wire.ConnectFields,
): void {
  let open = 0;
  const one = async (): Promise<void> => {
    open += 1;
    const client = await AttackClient.open(target, fields, address);
    client.destroy();
    open -= 1;
  };
  repeat(perSecond, () => {
    if (open < OPEN_MAX) void one();
  });
}

function repeat(perSecond: number, work: () => void): void {
  setInterval(() => {
    for (let n = 0; n < perSecond / 50; n++) work();
  }, 20);
}

const cases: readonly Case[] = [
  {
    name: 'publish flood: 4 clients, 64 B, to 50 readers',
    guard: '-client-message-rate=1000',
    async attack(target) {
      await readers(target, 50, true);
      const floods = await openMany(4, () => AttackClient.open(target));
      for (const client of floods) flood(client, 'flood', 64);
    },
  },
  {
    name: 'connect flood: 400 TLS handshakes a second from one address',
    guard: '-connect-rate=50',
    async attack({ host, tlsPort: port }) {
      let open = 0;
      repeat(400, () => {
        if (open >= OPEN_MAX) return;
        open += 1;
        const options = { host, port, localAddress: '127.0.0.2', rejectUnauthorized: false };
        const socket = connectTls(options, () => socket.destroy());
        socket.on('error', () => undefined);
        socket.on('close', () => {
          open -= 1;
        });
      });
    },
  },
  {
    name: 'wrong passwords: 200 a second from one address',
    guard: '-ban-failures=10',
    async attack(target) {
      connects(target, '127.0.0.3', 200, { username: 'admin', password: 'guess' });
    },
  },
  {
    name: 'clients with one identifier: 300 takeovers a second',
    guard: '-ban-connects=15',
    async attack(target) {
      connects(target, '127.0.0.4', 300, { clientId: 'twin', clean: false });
    },
  },
  {
    name: 'slow subscribers: 300 that do not read, 1 KB messages',
    guard: '-client-byte-rate=64k',
    async attack(target) {
      await readers(target, 300, false);
      const floods = await openMany(2, () => AttackClient.open(target));
      for (const client of floods) flood(client, 'flood', 1024);
    },
  },
];

/** How long logins with the right password take, milliseconds; each lane is an innocent device. */
async function logins(target: Target, forMs: number): Promise<number[]> {
  const times: number[] = [];
  const until = performance.now() + forMs;
  while (performance.now() < until) {
    const startedAt = performance.now();
    const fields = { clientId: NAME, username: NAME, password: 'right' };
    const client = await AttackClient.open(target, fields, '127.0.0.9');
    times.push(performance.now() - startedAt);
    client.destroy();
    await new Promise((resolve) => setTimeout(resolve, LOGIN_EVERY_MS));
  }
  return times.sort((a, b) => a - b);
}

interface Figures {
  readonly messages: string;
  readonly logins: string;
}

function tlsFlags(folder: string): string[] {
  const { cert, key } = new TestAuthority(folder).issue('localhost', '/CN=localhost');
  return ['-tls=0', `-cert=${cert}`, `-key=${key}`];
}

/** @param attack undefined: the node has no other clients */
async function measure(flags: readonly string[], attack: Case | undefined): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), 'shoal-guards-'));
  const users = join(folder, 'users');
  writeFileSync(
    users,
    `${NAME}:${await hashPassword('right')}\nadmin:${await hashPassword('x')}\n`,
  );
  const own = [`-auth=${users}`, '-anonymous=true', ...tlsFlags(folder), ...flags];
  const shoal = new ShoalProcess(loopbackFlags('n1', ...own), { cwd: folder });
  let attacker: ChildProcess | undefined;
  try {
    const target = { host: '127.0.0.1', port: await shoal.mqttPort() };
    const innocents = await Innocents.connect(target);
    await logins(target, 1);
    if (attack !== undefined) {
      const ports = [String(target.port), String(await shoal.mqttPort('tls'))];
      attacker = fork(fileURLToPath(import.meta.url), [attack.name, ...ports]);
      await once(attacker, 'message');
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    }
    const rounds: number[][] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const [messages, times] = await Promise.all([
        innocents.measure(ROUND_MS),
        logins(target, ROUND_MS),
      ]);
      const at = (share: number): number => times[Math.floor(times.length * share)] ?? Number.NaN;
      rounds.push([messages.p50, messages.p99, at(0.5), at(0.99)]);
    }
    const [m50, m99, l50, l99] = [0, 1, 2, 3].map((column) =>
      median(rounds.map((round) => round[column] ?? Number.NaN)).toFixed(1),
    );
    return { messages: `${m50} / ${m99}`, logins: `${l50} / ${l99}` };
  } finally {
    attacker?.kill('SIGKILL');
    await shoal.kill();
    rmSync(folder, { recursive: true });
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

async function runAttack(name: string, port: number, tlsPort: number): Promise<void> {
  const attacked = { host: '127.0.0.1', port, tlsPort };
  await cases.find((one) => one.name === name)?.attack(attacked);
  process.on('disconnect', () => process.exit());
  process.send?.('begun');
}

async function report(wanted: string): Promise<void> {
  const print = (...cells: string[]): boolean => process.stdout.write(`| ${cells.join(' | ')} |\n`);
  print(
    'attack',
    'guard',
    'messages p50 / p99, ms',
    'with the guard',
    'logins p50 / p99, ms',
    'with the guard',
  );
  print(...Array(6).fill('---'));
  const quiet = await measure([], undefined);
  print('none', '', quiet.messages, '', quiet.logins, '');
  for (const one of cases.filter(({ name }) => name.includes(wanted))) {
    const off = await measure([], one);
    const on = await measure([one.guard], one);
    print(one.name, `\`${one.guard}\``, off.messages, on.messages, off.logins, on.logins);
  }
}

const [name, port, tlsPort] = process.argv.slice(2);
const isAttacker = name !== undefined && port !== undefined;
await (isAttacker ? runAttack(name, Number(port), Number(tlsPort)) : report(name ?? ''));
if (!isAttacker) process.exit();
