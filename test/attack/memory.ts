// Measures what each attack on memory makes a node keep, and what innocents notice: how long the messages of
// a pair that behaves need meanwhile, and whether an innocent client afterwards finds room for a session, a
// subscription, a retained message, and a message while it is away.
//   npm run build && node --import tsx test/attack/memory.ts [--heap=256] [--bundle=FILE] [words of a name]

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { BUNDLE, loopbackFlags, ShoalProcess } from '../support/shoal-process.ts';
import * as wire from '../support/wire.ts';
import type { Target } from './attack-client.ts';
import { Innocents } from './innocents.ts';
import { type MemoryAttack, memoryAttacks } from './memory-attacks.ts';

const HOST = '127.0.0.1';
const TOKEN = 'LttnJgMpAP0HdWTY2bw0qrst8fmh';
const MIB = 1024 ** 2;
const SETTLE_MS = 2000;
const PATIENCE_MS = 120_000;
const setting = (name: string, otherwise: string): string =>
  process.argv.find((word) => word.startsWith(`--${name}=`))?.split('=')[1] ?? otherwise;
const heap = setting('heap', '256');
const bundle = setting('bundle', BUNDLE);
const words = process.argv.slice(2).filter((word) => !word.startsWith('--'));

/** A client that waits for each answer. */
class Innocent {
  readonly #socket: Socket;
  readonly #packets: wire.Packet[] = [];

  private constructor(socket: Socket) {
    this.#socket = socket;
    let rest: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      const decoded = wire.decode(5, Buffer.concat([rest, chunk]));
      rest = decoded.rest;
      this.#packets.push(...decoded.packets);
    });
  }

  static async connect(target: Target, fields: wire.ConnectFields): Promise<Innocent> {
    const client = new Innocent(connect(target));
    const answer = await client.ask(wire.connect(fields));
    if (answer.reason !== 0) throw new Error(`CONNACK 0x${answer.reason.toString(16)}`);
    return client;
  }

  async ask(packet: Buffer): Promise<wire.Packet> {
    this.#socket.write(packet);
    return this.next();
  }

  async next(): Promise<wire.Packet> {
    const signal = AbortSignal.timeout(5000);
    while (this.#packets.length === 0) await once(this.#socket, 'data', { signal });
    return this.#packets.shift()!;
  }

  leave(): void {
    this.#socket.destroy();
  }
}

/** @returns what an innocent client is refused, or 'served' */
async function tryInnocent(target: Target): Promise<string> {
  const kept = { clientId: 'innocent', properties: { sessionExpiryInterval: 60 } };
  try {
    const client = await Innocent.connect(target, kept);
    const suback = await client.ask(wire.subscribe(5, 1, [{ filter: 'mail', qos: 1 }]));
    if (suback.reasons[0]! >= 0x80) return `SUBACK 0x${suback.reasons[0]!.toString(16)}`;
    client.leave();
    const other = await Innocent.connect(target, { clientId: 'other' });
    const mail = { topic: 'mail', payload: 'x', qos: 1, retain: true, id: 1 };
    const { reason, properties } = await other.ask(wire.publish(5, mail));
    if (reason !== 0) return `PUBACK 0x${reason.toString(16)}`;
    if (properties.reasonString !== undefined) return `PUBACK: ${properties.reasonString}`;
    other.leave();
    const back = await Innocent.connect(target, { ...kept, clean: false });
    const message = await back.next();
    back.leave();
    return message.payload === 'x' ? 'served' : 'no message';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function startNodes({ nodes = 1, flags = [] }: MemoryAttack): Promise<ShoalProcess[]> {
  const started: ShoalProcess[] = [];
  const settings = { bundle, nodeFlags: [`--max-old-space-size=${heap}`] };
  for (let i = 0; i < nodes; i++) {
    const cluster = nodes > 1 ? [`-csk=${TOKEN}`] : [];
    const seed = started[0] === undefined ? [] : [`-mbs=${await started[0].gossipAddress()}`];
    const all = [...flags, ...cluster, ...seed, '-anonymous=true'];
    started.push(new ShoalProcess(loopbackFlags(`n${i}`, ...all), settings));
    await started[i]!.mqttPort();
  }
  return started;
}

async function run(attack: MemoryAttack): Promise<void> {
  const nodes = await startNodes(attack);
  const [node] = nodes as [ShoalProcess];
  const port = await node.mqttPort();
  const target = { host: HOST, port };
  const pair = await Innocents.connect(target);
  await pair.measure(500);
  const before = node.residentBytes();
  const ended = new Set<ShoalProcess>();
  for (const one of nodes) void one.exited.then(() => ended.add(one));
  const attacked = Promise.race([attack.run(target), node.exited, sleep(PATIENCE_MS)]);
  const [latencies] = await Promise.all([pair.measure(6000), attacked]);
  await sleep(SETTLE_MS);
  const isAlive = !ended.has(node);
  const grown = isAlive ? `${((node.residentBytes() - before) / MIB).toFixed(0)} MiB` : 'ended';
  const innocent = isAlive ? await tryInnocent(target) : '';
  const others =
    nodes.length > 1 ? `, ${nodes.length - ended.size} of ${nodes.length} nodes live` : '';
  const p99 = `p99 ${latencies.p99.toFixed(1)} ms`;
  process.stdout.write(
    `${attack.name.padEnd(76)} ${grown.padStart(8)}, ${p99}, innocent: ${innocent}${others}\n`,
  );
  pair.close();
  for (const one of nodes) await one.kill();
}

for (const attack of memoryAttacks) {
  if (words.every((word) => attack.name.includes(word))) await run(attack);
}
process.exit();
