// What a message costs any program on Node's sockets: a bare server beside Shoal and the other brokers, by the
// generator in C, with window 1. The server passes chunks on as they come, one write for each subscriber and
// turn; of MQTT it knows as much as the generator needs to begin.
// node --import tsx test/bench/bare-node.ts [RUNS]; `serve PORT` is the server alone.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { availableBrokers, freePort, type RunningBroker, startBroker } from './brokers.ts';
import { addressOf, type GeneratorLoad, PAIRS, takeTurns } from './generator/beside.ts';
import { CompiledGenerator } from './generator/compiled.ts';
import { BROKER_CORE } from './load/clock.ts';
import { withDescriptors } from './load/descriptors.ts';
import { amount, figure, markdownTable } from './table.ts';

const LOADS: readonly (readonly [string, GeneratorLoad])[] = [
  ['pairs 50:50', { ...PAIRS, window: 1 }],
  ['fan-out 1:1000', { subscribers: 1000, window: 1 }],
  ['fan-in 1000:1', { publishers: 1000, window: 1 }],
];
const CONNACK = Buffer.of(0x20, 2, 0, 0);
const CONNECT = 0x10;
const SUBSCRIBE = 0x82;

interface Peer {
  readonly socket: Socket;
  /** `s1` for the second subscriber, `p1` for its publisher. */
  name: string;
  pending: Buffer[];
}

function serve(port: number): void {
  const subscribers = new Map<string, Peer>();
  let isForAll = false;
  let dirty: Peer[] = [];
  const flush = (): void => {
    const peers = dirty;
    dirty = [];
    for (const { socket, pending } of peers) {
      socket.write(pending.length === 1 ? pending[0]! : Buffer.concat(pending));
    }
    for (const peer of peers) peer.pending = [];
  };
  const queue = (peer: Peer, chunk: Buffer): void => {
    if (dirty.length === 0) setImmediate(flush);
    if (peer.pending.push(chunk) === 1) dirty.push(peer);
  };
  createServer({ noDelay: true }, (socket) => {
    const peer: Peer = { socket, name: '', pending: [] };
    let targets: Peer[] | undefined;
    const pass = (chunk: Buffer): void => {
      targets ??= isForAll
        ? [...subscribers.values()]
        : [subscribers.get(`s${peer.name.slice(1)}`)!];
      for (const target of targets) queue(target, chunk);
    };
    socket.on('error', () => undefined).on('close', () => subscribers.delete(peer.name));
    socket.on('data', (chunk) => {
      if (chunk[0] === CONNECT) {
        // The Client Identifier, without `bench-`.
        peer.name = chunk.toString('latin1', 20);
        socket.write(CONNACK);
      } else if (chunk[0] === SUBSCRIBE) {
        isForAll = chunk.includes('+');
        subscribers.set(peer.name, peer);
        socket.write(Buffer.of(0x90, 3, chunk[2]!, chunk[3]!, 0));
      } else pass(chunk);
    });
  }).listen({ port, host: '127.0.0.1', backlog: 4096 }, () => process.stdout.write('ready\n'));
}

async function startServer(): Promise<RunningBroker> {
  const port = await freePort();
  const node = [process.execPath, '--import', 'tsx', import.meta.filename, 'serve', String(port)];
  const command = withDescriptors(['taskset', '-c', String(BROKER_CORE), ...node]);
  const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  return { name: 'bare Node', port, pid: child.pid ?? 0, stop };
}

async function measure(runs: number): Promise<void> {
  const generator = new CompiledGenerator();
  const brokers = availableBrokers().filter((name) => name !== 'aedes');
  const names = ['bare Node', ...brokers];
  const rows: string[][] = [];
  for (const [name, load] of LOADS) {
    const running = [await startServer()];
    for (const broker of brokers) running.push(await startBroker(broker));
    const systems = running.map((one) => {
      return { name: one.name, publish: addressOf(one), pids: [one.pid] };
    });
    const row = await takeTurns(generator, load, systems, runs);
    for (const one of running) await one.stop();
    rows.push([name, ...names.map((system) => amount(figure(row, `${system}.brokerUs`)))]);
  }
  generator.remove();
  process.stdout.write(`${markdownTable(['CPU a message, us', ...names], rows)}\n`);
}

const [first, second] = process.argv.slice(2);
if (first === 'serve') serve(Number(second));
else await measure(Number(first ?? 3));
