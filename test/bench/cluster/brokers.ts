// Starts the brokers that a benchmark compares, on free ports, and ends them.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ON_LOOPBACK, type Site } from './sites.ts';
import { connectPacket, publishTemplate, Scanner, subscribePacket } from './wire.ts';

const SHOAL = fileURLToPath(new URL('../../../dist/shoal.js', import.meta.url));

export interface RunningBroker {
  readonly pid: number;
  readonly host: string;
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

/** Where a broker runs. */
export interface Place {
  readonly port: number;
  /** The processor core that it may use; undefined: all. */
  readonly core: number | undefined;
  readonly site?: Site | undefined;
}

export async function startBroker(
  command: string,
  args: readonly string[],
  { port, core, site = ON_LOOPBACK[0]! }: Place,
): Promise<RunningBroker> {
  const pinned = core === undefined ? [] : ['taskset', '-c', String(core)];
  const [program, ...rest] = [...site.via, ...pinned, command, ...args];
  const host = site.clientAddress;
  const child = spawn(program ?? command, rest, { stdio: ['ignore', 'ignore', 'inherit'] });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${command} did not start`);
  await untilListening({ host, port }, child);
  return {
    pid,
    host,
    port,
    stop: async () => {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** Where a broker listens for clients. */
type ClientAddress = Pick<RunningBroker, 'host' | 'port'>;

async function untilListening(at: ClientAddress, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    if (child.exitCode !== null) break;
    const socket = net.connect(at);
    const isUp = await new Promise((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nothing listens on ${at.host}:${at.port}`);
}

/** Starts Shoal nodes that form one cluster, one at each site. */
export async function startShoal(
  sites: readonly Site[],
  core: number | undefined,
  flags: readonly string[] = [],
): Promise<RunningBroker[]> {
  const gossipPorts = await Promise.all(sites.map(freePort));
  const members = sites.map(({ clusterAddress }, i) => `${clusterAddress}:${gossipPorts[i]}`);
  const brokers: RunningBroker[] = [];
  for (const [index, site] of sites.entries()) {
    const port = await freePort();
    const args = [
      SHOAL,
      `-nid=bench${index}`,
      '-csk=benchmark',
      `-mbs=${members.join(',')}`,
      `-crp=${gossipPorts[index]}`,
      `-csp=${await freePort()}`,
      `-port=${port}`,
      `-bind=${site.bind}`,
      `-advertise=${site.clusterAddress}`,
      '-http=off',
      '-log-level=warn',
      ...flags,
    ];
    brokers.push(await startBroker(process.execPath, args, { port, core, site }));
  }
  return brokers;
}

/** Starts two mosquittos; the first bridges `bench/#` to the second at the QoS of each message. */
export async function startMosquittoBridge(
  sites: readonly Site[],
  core: number | undefined,
): Promise<RunningBroker[]> {
  const [fromSite, toSite] = sites as [Site, Site];
  const folder = mkdtempSync(join(tmpdir(), 'bridge-'));
  const [from, to] = [await freePort(), await freePort()];
  const common = 'allow_anonymous true\npersistence false\nlog_type error\n';
  writeFileSync(join(folder, 'to.conf'), `listener ${to} ${toSite.bind}\n${common}`);
  writeFileSync(
    join(folder, 'from.conf'),
    `listener ${from} ${fromSite.bind}\n${common}connection bench\naddress ${toSite.clusterAddress}:${to}\ntopic bench/# out 1\n`,
  );
  const start = (name: string, port: number, site: Site): Promise<RunningBroker> =>
    startBroker('mosquitto', ['-c', join(folder, `${name}.conf`)], { port, core, site });
  const second = await start('to', to, toSite);
  const first = await start('from', from, fromSite);
  rmSync(folder, { recursive: true });
  return [first, second];
}

/** Waits until a message published on one broker arrives on the other. */
export async function untilJoined(from: ClientAddress, to: ClientAddress): Promise<void> {
  const arrived = withResolvers();
  const subscriber = net.connect({ host: to.host, port: to.port });
  const publisher = net.connect({ host: from.host, port: from.port });
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
