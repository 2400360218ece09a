// Starts the brokers that the benchmark compares, each on a free port and pinned to core 0.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { CertificateFiles } from '../support/certificates.ts';
import { BROKER_CORE } from './load/clock.ts';
import { withDescriptors } from './load/descriptors.ts';

export interface RunningBroker {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

const READY_MS_MAX = 10_000;
const bundle = join(import.meta.dirname, '../../dist/shoal.js');
const splice = join(import.meta.dirname, 'load/splice.ts');
const aedesServer = join(import.meta.dirname, 'aedes-server.ts');

export type BrokerName = 'shoal' | 'mosquitto' | 'flashmq' | 'aedes';

/** The program of FlashMQ (flashmq.org), which no distribution has. */
const flashmq = process.env.FLASHMQ;

/** The brokers that are installed on this machine. */
export function availableBrokers(): BrokerName[] {
  const brokers: BrokerName[] = ['shoal'];
  if (spawnSync('mosquitto', ['-h']).error === undefined) brokers.push('mosquitto');
  if (flashmq !== undefined) brokers.push('flashmq');
  return [...brokers, 'aedes'];
}

export type Transport = 'tcp' | 'tls' | 'websocket';

export interface StartOptions {
  /** What the port is for; TLS needs a certificate. */
  readonly transport?: Transport;
  readonly certificate?: CertificateFiles | undefined;
  /** For Shoal: adds `-data` with a new folder. */
  readonly hasData?: boolean;
  /** Uses every core, so that the helper threads need not displace the main thread. */
  readonly isFree?: boolean;
  /** Flags for Node, before the bundle. */
  readonly nodeFlags?: readonly string[];
  /** Called with each line that the broker prints. */
  readonly onLine?: (line: string) => void;
}

export async function startBroker(
  name: BrokerName,
  options: StartOptions = {},
): Promise<RunningBroker> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'shoal-bench-'));
  const command = commandOf(name, port, folder, options);
  return start(name, port, folder, options.isFree ? command : pinned(command), options.onLine);
}

/** Takes the place of a broker that does nothing (see load/splice.ts). */
export async function startSplice(
  publishers: number,
  subscribers: number,
  copies: number,
): Promise<RunningBroker> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'shoal-bench-'));
  const plan = [port, publishers, subscribers, copies].map(String);
  const command = [process.execPath, '--import', 'tsx', splice, ...plan];
  return start('splice', port, folder, pinned(command));
}

function pinned(command: readonly string[]): string[] {
  return ['taskset', '-c', String(BROKER_CORE), ...command];
}

async function start(
  name: string,
  port: number,
  folder: string,
  command: readonly string[],
  onLine?: (line: string) => void,
): Promise<RunningBroker> {
  const [program, ...args] = withDescriptors(command);
  const child = spawn(program, args, {
    stdio: ['ignore', onLine === undefined ? 'ignore' : 'pipe', 'inherit'],
  });
  if (onLine !== undefined && child.stdout !== null) {
    createInterface({ input: child.stdout }).on('line', onLine);
  }
  const ended = once(child, 'exit');
  await reachable(port);
  return {
    name,
    port,
    // The shell and taskset exec the command, so this is the broker's process id.
    pid: child.pid ?? 0,
    stop: async (signal = 'SIGKILL') => {
      child.kill(signal);
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function commandOf(
  name: BrokerName,
  port: number,
  folder: string,
  options: StartOptions,
): string[] {
  const { hasData = false, nodeFlags = [], transport = 'tcp' } = options;
  const { cert = '', key = '' } = options.certificate ?? {};
  switch (name) {
    case 'shoal': {
      const listener = {
        tcp: [`-port=${port}`],
        tls: ['-port=off', `-tls=${port}`, `-cert=${cert}`, `-key=${key}`],
        websocket: ['-port=off', `-ws=${port}`],
      };
      const flags = [...listener[transport], '-bind=127.0.0.1', '-nid=bench'];
      if (hasData) flags.push(`-data=${join(folder, 'data')}`);
      return [process.execPath, ...nodeFlags, bundle, ...flags];
    }
    case 'aedes':
      return [process.execPath, '--import', 'tsx', aedesServer, String(port)];
    case 'flashmq': {
      if (flashmq === undefined) throw new Error('FLASHMQ has to name the program of FlashMQ');
      const file = join(folder, 'flashmq.conf');
      const listener = {
        tcp: ['protocol mqtt'],
        tls: ['protocol mqtt', `fullchain ${cert}`, `privkey ${key}`],
        websocket: ['protocol websockets'],
      };
      writeFileSync(file, flashmqConfig(port, folder, listener[transport]));
      return [flashmq, '--config-file', file];
    }
    case 'mosquitto': {
      // Started by root, it makes its socket as another user.
      chmodSync(folder, 0o777);
      const file = join(folder, 'mosquitto.conf');
      const listener = {
        tcp: [],
        tls: [`certfile ${cert}`, `keyfile ${key}`],
        // mosquitto 2.0.11 ends where its only listener is one for WebSocket.
        websocket: ['protocol websockets', `listener 0 ${join(folder, 'socket')}`],
      };
      const lines = [
        `listener ${port} 127.0.0.1`,
        ...listener[transport],
        'allow_anonymous true',
        'max_queued_messages 0',
        'max_inflight_messages 100',
        'set_tcp_nodelay true',
        'log_type none',
      ];
      writeFileSync(file, `${lines.join('\n')}\n`);
      return ['mosquitto', '-c', file];
    }
  }
}

/** One thread, as the other brokers have, and room for every window of the scenarios. */
function flashmqConfig(port: number, folder: string, listener: readonly string[]): string {
  const lines = [
    'thread_count 1',
    'allow_anonymous true',
    'max_qos_msg_pending_per_client 65535',
    'max_qos_bytes_pending_per_client 100000000',
    `log_file ${join(folder, 'flashmq.log')}`,
    `storage_dir ${folder}`,
    'listen {',
    ...listener,
    'inet_protocol ip4',
    'inet4_bind_address 127.0.0.1',
    `port ${port}`,
    '}',
  ];
  return `${lines.join('\n')}\n`;
}

export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

async function reachable(port: number): Promise<void> {
  const until = Date.now() + READY_MS_MAX;
  while (Date.now() < until) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect({ host: '127.0.0.1', port });
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nothing listens on port ${port}`);
}

/** Resident memory of a process, bytes. */
export function residentBytes(pid: number): number {
  const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1] ?? 0) * 1024;
}
