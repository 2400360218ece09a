// One running node of either system, and the state of the other nodes according to its log. The time of
// a change is the time at which its log line was read.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { BenchNetwork } from './network.ts';

export type SystemName = 'shoal' | 'serf';
export const BUNDLE = fileURLToPath(new URL('../../../dist/shoal.js', import.meta.url));

interface System {
  command(node: number, network: BenchNetwork): readonly string[];
  /** Matches the line that reports a complete start. */
  readonly ready: RegExp;
  readonly event: RegExp;
  /** Maps the first group of `event` to a state; other values change nothing. */
  readonly states: Readonly<Record<string, 'online' | 'offline'>>;
}

export const SYSTEMS: Readonly<Record<SystemName, System>> = {
  shoal: {
    command: (node, network) => [
      process.execPath,
      BUNDLE,
      `-nid=n${node}`,
      '-csk=benchmark',
      `-mbs=${network.address(1)}:7946,${network.address(2)}:7946`,
      '-port=1883',
    ],
    ready: /Shoal v/,
    event: /cluster (online|updated|offline|left) (\S+) /,
    states: { online: 'online', updated: 'online', offline: 'offline', left: 'offline' },
  },
  serf: {
    command: (node, network) => [
      '/usr/bin/serf',
      'agent',
      `-node=n${node}`,
      `-bind=${network.address(node)}`,
      '-profile=lan',
      `-retry-join=${network.address(1)}`,
      `-retry-join=${network.address(2)}`,
      '-retry-interval=1s',
    ],
    ready: /Serf agent starting/,
    event: /EventMember(Join|Failed|Leave): (\S+)/,
    states: { Join: 'online', Failed: 'offline', Leave: 'offline' },
  },
};

export class Agent {
  readonly node: number;
  readonly name: string;
  /** States of the other nodes according to the log, with the time of the last change. */
  readonly view = new Map<string, { state: 'online' | 'offline'; at: number }>();
  readonly spawnedAt = performance.now();
  readyAt: number | undefined;
  offlineEvents = 0;
  readonly #child: ChildProcess;

  constructor(system: System, node: number, network: BenchNetwork) {
    this.node = node;
    this.name = `n${node}`;
    const command = ['netns', 'exec', network.namespace(node), ...system.command(node, network)];
    this.#child = spawn('ip', command, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream !== null) createInterface(stream).on('line', (line) => this.#read(system, line));
    }
  }

  onlineCount(): number {
    return [...this.view.values()].filter((one) => one.state === 'online').length;
  }

  sees(name: string): 'online' | 'offline' | undefined {
    return this.view.get(name)?.state;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
  }

  /** @returns resident memory and the processor time used since the start */
  usage(): { residentMegabytes: number; cpuSeconds: number } {
    const folder = `/proc/${this.#child.pid}`;
    const resident = /VmRSS:\s+(\d+)/.exec(readFileSync(`${folder}/status`, 'utf8'))?.[1] ?? '0';
    const fields = readFileSync(`${folder}/stat`, 'utf8').split(') ')[1]!.split(' ');
    const ticks = Number(fields[11]) + Number(fields[12]);
    return { residentMegabytes: Number(resident) / 1024, cpuSeconds: ticks / 100 };
  }

  #read(system: System, line: string): void {
    const at = performance.now();
    if (system.ready.test(line)) this.readyAt ??= at;
    const found = system.event.exec(line);
    const state = found === null ? undefined : system.states[found[1]!];
    const name = found?.[2];
    if (state === undefined || name === undefined || name === this.name) return;
    if (state === 'offline') this.offlineEvents += 1;
    this.view.set(name, { state, at });
  }
}

/** @returns the reason why the benchmark can't run here, or undefined if it can */
export function missingTool(systems: readonly SystemName[]): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root for network namespaces';
  for (const tool of ['/usr/sbin/ip', '/usr/sbin/nft']) {
    if (!existsSync(tool)) return `needs ${tool}`;
  }
  if (systems.includes('serf') && !existsSync('/usr/bin/serf')) return 'needs serf';
  if (systems.includes('shoal') && !existsSync(BUNDLE)) return 'needs dist/shoal.js: npm run build';
  return undefined;
}
