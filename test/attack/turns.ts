// Measures what work that one client causes does to other clients: how long the messages of a pair that
// behaves need, on a calm node and during each attack. The node has core 0 for itself; the pair and the
// attack share core 1, the pair first.
//   npm run build && node --import tsx test/attack/turns.ts [--bundle=FILE] [words of an attack's name]

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TestAuthority } from '../support/certificates.ts';
import { BUNDLE, loopbackFlags, ShoalProcess } from '../support/shoal-process.ts';
import { type Attack, attacks } from './attacks.ts';
import { Innocents, type Latencies } from './innocents.ts';

const CALM_MS = 3000;
const ATTACK_MS = 8000;
const HOST = '127.0.0.1';
const METER = new URL('./turn-meter.mjs', import.meta.url).href;
const [option = ''] = process.argv.slice(2).filter((word) => word.startsWith('--bundle='));
const bundle = option.slice('--bundle='.length) || BUNDLE;
const words = process.argv.slice(2).filter((word) => word !== option);

function startNode({ flags = [], listener, isStored }: Attack, folder: string): ShoalProcess {
  const authority = listener === 'tls' ? new TestAuthority(folder) : undefined;
  const { cert, key } = authority?.issue('node', '/CN=node') ?? {};
  const all = [...flags];
  if (listener !== undefined) all.push(`-${listener}=0`);
  if (listener === 'tls') all.push(`-cert=${cert}`, `-key=${key}`);
  if (isStored) all.push(`-data=${join(folder, 'data')}`);
  return new ShoalProcess(loopbackFlags('attacked', ...all), {
    bundle,
    nodeFlags: [`--import=${METER}`],
    env: { TURN_METER: join(folder, 'turns') },
    via: ['taskset', '-c', '0', 'nice', '-n', '-20'],
  });
}

async function attackWith({ name }: Attack, port: number): Promise<ChildProcess> {
  const path = fileURLToPath(new URL('./attacker.ts', import.meta.url));
  const child = fork(path, [name, HOST, String(port)], { execArgv: ['--import', 'tsx'] });
  if (child.pid !== undefined) setPriority(child.pid, 10);
  await once(child, 'message');
  return child;
}

/** The longest turn of each second so far, milliseconds of processor time. */
function longestTurns(folder: string): number[] {
  const path = join(folder, 'turns');
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8').split('\n').slice(0, -1).map(Number);
}

function show(what: string, { p50, p99, max, missing }: Latencies, turns: number[]): void {
  const figures = [p50, p99, max].map((ms) => ms.toFixed(1).padStart(8));
  const lost = missing > 0 ? `, ${missing} missing` : '';
  const [median, longest] = [turns[Math.floor(turns.length / 2)], turns.at(-1)];
  const turn = `longest turn of a second ${median} ms, of all ${longest}`;
  const line = `p50 ${figures[0]} ms, p99 ${figures[1]}, max ${figures[2]}; ${turn}${lost}`;
  process.stdout.write(`${what.padEnd(62)} ${line}\n`);
}

async function run(attack: Attack): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'attack-'));
  const node = startNode(attack, folder);
  let attacker: ChildProcess | undefined;
  try {
    const port = await node.mqttPort();
    const attacked = attack.listener === undefined ? port : await node.mqttPort(attack.listener);
    attacker = await attackWith(attack, attacked);
    const pair = await Innocents.connect({ host: HOST, port });
    await pair.measure(500);
    const measure = async (what: string, ms: number): Promise<void> => {
      const before = longestTurns(folder).length;
      const latencies = await pair.measure(ms);
      const turns = longestTurns(folder).slice(before);
      show(
        what,
        latencies,
        turns.toSorted((a, b) => a - b),
      );
    };
    await measure(`${attack.name}: before`, CALM_MS);
    attacker.send('begin');
    await pair.measure(1000);
    await measure(attack.name, ATTACK_MS);
    pair.close();
  } finally {
    attacker?.kill('SIGKILL');
    await node.kill();
    rmSync(folder, { recursive: true });
  }
}

setPriority(-19);
for (const attack of attacks) {
  if (words.every((word) => attack.name.includes(word))) await run(attack);
}
