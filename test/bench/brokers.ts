// The brokers that are compared, each started on a free port, pinned to core 0.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface RunningBroker {
  readonly name: string;
  readonly port: number;
  readonly process: ChildProcess;
  stop(): Promise<void>;
}

const BROKER_CORE = '0';
const READY_MS_MAX = 10_000;
const bundle = new URL('../../dist/shoal.js', import.meta.url).pathname;
const aedesServer = new URL('./aedes-server.ts', import.meta.url).pathname;

export type BrokerName = 'shoal' | 'mosquitto' | 'aedes';

/** Those that this machine has. */
export function availableBrokers(): BrokerName[] {
  const hasMosquitto = spawnSync('mosquitto', ['-h']).error === undefined;
  return hasMosquitto ? ['shoal', 'mosquitto', 'aedes'] : ['shoal', 'aedes'];
}

export async function startBroker(name: BrokerName): Promise<RunningBroker> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'shoal-bench-'));
  const child = spawn('taskset', ['-c', BROKER_CORE, ...commandOf(name, port, folder)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await reachable(port);
  return {
    name,
    port,
    process: child,
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', () => {
          rmSync(folder, { recursive: true, force: true });
          resolve();
        });
        child.kill('SIGKILL');
      }),
  };
}

function commandOf(name: BrokerName, port: number, folder: string): string[] {
  switch (name) {
    case 'shoal':
      return [process.execPath, bundle, `-port=${port}`, '-bind=127.0.0.1', '-nid=bench'];
    case 'aedes':
      return [process.execPath, '--import', 'tsx', aedesServer, String(port)];
    case 'mosquitto': {
      const file = join(folder, 'mosquitto.conf');
      const lines = [
        `listener ${port} 127.0.0.1`,
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

/** CPU seconds that a process has used. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
