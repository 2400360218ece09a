// Starts the brokers that a benchmark compares, on free ports, and ends them.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connectPacket, publishTemplate, Scanner, subscribePacket } from './wire.ts';

const SHOAL = fileURLToPath(new URL('../../../dist/shoal.js', import.meta.url));

export interface RunningBroker {
  readonly pid: number;
  readonly port: number;
  stop(): Promise<void>;
}

export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** @param core the processor core that the broker may use; undefined: all */
export async function startBroker(
  command: string,
  args: readonly string[],
  port: number,
  core: number | undefined,
): Promise<RunningBroker> {
  const [program, ...rest] =
    core === undefined ? [command, ...args] : ['taskset', '-c', String(core), command, ...args];
  const child = spawn(program ?? command, rest, { stdio: ['ignore', 'ignore', 'inherit'] });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${command} did not start`);
  await untilListening(port, child);
  return {
    pid,
    port,
    stop: async () => {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}

async function untilListening(port: number, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    if (child.exitCode !== null) break;
    const socket = net.connect({ port, host: '127.0.0.1' });
    const isUp = await new Promise((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nothing listens on port ${port}`);
}

/** Starts Shoal nodes on 127.0.0.1 that form one cluster. */
export async function startShoal(
  nodes: number,
  core: number | undefined,
  flags: readonly string[] = [],
): Promise<RunningBroker[]> {
  const gossipPorts = await Promise.all(Array.from({ length: nodes }, freePort));
  const members = gossipPorts.map((port) => `127.0.0.1:${port}`).join(',');
  const brokers: RunningBroker[] = [];
  for (const [index, gossipPort] of gossipPorts.entries()) {
    const port = await freePort();
    const args = [
      SHOAL,
      `-nid=bench${index}`,
      '-csk=benchmark',
      `-mbs=${members}`,
      `-crp=${gossipPort}`,
      `-csp=${await freePort()}`,
      `-port=${port}`,
      '-bind=127.0.0.1',
      '-log-level=warn',
      ...flags,
    ];
    brokers.push(await startBroker(process.execPath, args, port, core));
  }
  return brokers;
}

/** Starts two mosquittos; the first bridges `bench/#` to the second at the QoS of each message. */
export async function startMosquittoBridge(core: number | undefined): Promise<RunningBroker[]> {
  const folder = mkdtempSync(join(tmpdir(), 'bridge-'));
  const [from, to] = [await freePort(), await freePort()];
  const common = 'allow_anonymous true\npersistence false\nlog_type error\n';
  writeFileSync(join(folder, 'to.conf'), `listener ${to} 127.0.0.1\n${common}`);
  writeFileSync(
    join(folder, 'from.conf'),
    `listener ${from} 127.0.0.1\n${common}connection bench\naddress 127.0.0.1:${to}\ntopic bench/# out 1\n`,
  );
  const second = await startBroker('mosquitto', ['-c', join(folder, 'to.conf')], to, core);
  const first = await startBroker('mosquitto', ['-c', join(folder, 'from.conf')], from, core);
  rmSync(folder, { recursive: true });
  return [first, second];
}

/** Waits until a message published on one broker arrives on the other. */
export async function untilJoined(fromPort: number, toPort: number): Promise<void> {
  const arrived = withResolvers();
  const subscriber = net.connect({ port: toPort, host: '127.0.0.1' });
  const publisher = net.connect({ port: fromPort, host: '127.0.0.1' });
  const ignore = (): void => undefined;
  const scanner = new Scanner(4, {
    onConnack: ignore,
    onSuback: ignore,
    onPublish: () => arrived.resolve(),
  });
  subscriber.on('data', (chunk: Buffer) => scanner.push(chunk));
  publisher.on('data', ignore);
  subscriber.write(connectPacket('join-sub', 4));
  subscriber.write(subscribePacket('bench/join', 0, 4));
  publisher.write(connectPacket('join-pub', 4));
  const { packet } = publishTemplate('bench/join', 14, 0, 4);
  const again = setInterval(() => publisher.write(packet), 50);
  const limit = setTimeout(() => arrived.reject(new Error('the brokers did not join')), 15_000);
  try {
    await arrived.promise;
  } finally {
    clearInterval(again);
    clearTimeout(limit);
    subscriber.destroy();
    publisher.destroy();
  }
}

function withResolvers(): {
  promise: Promise<void>;
  resolve: () => void;
  reject: (error: Error) => void;
} {
  let resolve = (): void => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<void>((good, bad) => {
    resolve = good;
    reject = bad;
  });
  return { promise, resolve, reject };
}
