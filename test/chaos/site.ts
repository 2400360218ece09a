// The boxes of a run: each a network namespace with a node on its default ports, with a data folder and a
// control socket. Starts, kills, stops and continues the processes, and replaces the program of a node.
// Runs clients on a host of their own. Invariant: end() leaves no process, no namespace and no file behind.

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Duplex } from 'node:stream';
import { ControlClient } from '../../src/cli/control-client.ts';
import { Network } from '../support/network.ts';
import { ShoalProcess } from '../support/shoal-process.ts';
import { type Exit, WatchedProcess } from '../support/watched-process.ts';

/** As long as a slow memory card takes to write in bad moments. */
const SLOW_WRITE_MS = 300;

const RELAY = resolve(import.meta.dirname, '../support/relay.ts');
const CLIENTS = 'clients';
const DISK = 'size=64m';
const FILLER = 'filler';

/** Who ends a process: the test, at once or as an operator does, or the process itself. */
export type EndedBy = 'kill' | 'stop' | 'itself';

/** What a node runs; see replace(). */
export interface Program {
  readonly bundle: string;
  /** Beside those that make the cluster. */
  readonly flags: readonly string[];
}

export interface SiteOptions {
  readonly names: readonly string[];
  /** The nodes with a data folder; the others keep everything in memory. */
  readonly withData: readonly string[];
  /** What the nodes run at first. */
  readonly programs: ReadonlyMap<string, Program>;
  /** Called with what nodes and clients print. */
  readonly onLine: (origin: string, line: string) => void;
  readonly onStart: (node: string, hasData: boolean, flags: readonly string[]) => void;
  readonly onEnd: (node: string, exit: Exit, by: EndedBy) => void;
}

export class Site {
  readonly names: readonly string[];
  readonly network: Network;
  readonly #options: SiteOptions;
  readonly #folder = mkdtempSync(join(tmpdir(), 'shoal-chaos-'));
  readonly #relay: WatchedProcess;
  readonly #processes = new Map<string, ShoalProcess>();
  readonly #clients = new Set<WatchedProcess>();
  readonly #programs: Map<string, Program>;
  readonly #endedBy = new WeakMap<ShoalProcess, EndedBy>();

  constructor(options: SiteOptions) {
    this.#options = options;
    this.names = options.names;
    this.#programs = new Map(options.programs);
    const hosts = Object.fromEntries(this.names.map((name, i) => [name, [`192.168.1.${101 + i}`]]));
    this.network = new Network({ ...hosts, [CLIENTS]: ['192.168.1.200'] });
    const relay = [process.execPath, '--import=tsx', RELAY, this.#file('relay')];
    this.#relay = new WatchedProcess(relay, { via: this.network.via(CLIENTS) });
    for (const name of this.names) {
      mkdirSync(this.#dataOf(name));
      execFileSync('mount', ['-t', 'tmpfs', '-o', DISK, 'tmpfs', this.#dataOf(name)]);
      this.setClock(name, 0);
    }
    writeFileSync(this.#file('token'), `${randomBytes(32).toString('hex')}\n`);
  }

  async begin(): Promise<void> {
    await this.#relay.waitFor(/relay ready/);
    for (const name of this.names) this.start(name);
    await Promise.all(this.names.map((name) => this.untilOpen(name)));
  }

  start(name: string): void {
    const others = this.names.filter((other) => other !== name);
    const { bundle, flags: more } = this.#programs.get(name)!;
    const hasData = this.hasData(name);
    const flags = [
      `-nid=${name}`,
      `-csk-file=${this.#file('token')}`,
      `-mbs=${others.map((other) => this.network.address(other)).join(',')}`,
      ...(hasData ? [`-data=${this.#dataOf(name)}`] : []),
      `-control=${this.#socketOf(name)}`,
      '-anonymous',
      ...more,
    ];
    const via = this.network.via(name);
    const onLine = (line: string): void => this.#options.onLine(name, line);
    const settings = { bundle, via, onLine, cwd: this.#folder, env: this.#clockOf(name) };
    const process = new ShoalProcess(flags, settings);
    this.#processes.set(name, process);
    this.#options.onStart(name, hasData, more);
    void process.exited.then((exit) => {
      this.#options.onEnd(name, exit, this.#endedBy.get(process) ?? 'itself');
    });
  }

  hasData(name: string): boolean {
    return this.#options.withData.includes(name);
  }

  async untilOpen(name: string): Promise<void> {
    await this.#processOf(name).mqttPort();
  }

  signal(name: string, signal: NodeJS.Signals): void {
    this.#processOf(name).signal(signal);
  }

  async kill(name: string): Promise<void> {
    const process = this.#processOf(name);
    this.#endedBy.set(process, 'kill');
    await process.kill();
  }

  /** Ends the node as an operator does, and starts another program, or the same with other options, in its place. */
  async replace(name: string, program: Program): Promise<void> {
    const process = this.#processOf(name);
    this.#endedBy.set(process, 'stop');
    await process.stop();
    this.#programs.set(name, program);
    this.start(name);
    await this.untilOpen(name);
  }

  /**
   * Each write to the disk takes longer.
   * @returns ends that
   */
  async slowDisk(name: string): Promise<() => Promise<void>> {
    const delay = `--inject=fdatasync,fsync:delay_enter=${SLOW_WRITE_MS * 1000}`;
    const flags = ['-f', '-o', '/dev/null', '--trace=fdatasync,fsync', delay];
    const strace = new WatchedProcess(['strace', ...flags, '-p', String(this.pidOf(name))]);
    await strace.waitFor(/attached/);
    return async () => {
      strace.signal('SIGINT');
      await strace.exited;
    };
  }

  /** Runs a program on the host of the clients until end(). */
  runClient(command: readonly string[], onLine: (line: string) => void): WatchedProcess {
    const via = this.network.via(CLIENTS);
    const client = new WatchedProcess(command, { via, stdin: 'pipe', onLine });
    this.#clients.add(client);
    void client.exited.finally(() => this.#clients.delete(client));
    return client;
  }

  /** Nothing more can be written to the data folder. */
  fillDisk(name: string): void {
    const { bavail, bsize } = statfsSync(this.#dataOf(name));
    try {
      writeFileSync(join(this.#dataOf(name), FILLER), Buffer.alloc(bavail * bsize));
    } catch (error) {
      // The node has written meanwhile.
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }

  freeDisk(name: string): void {
    rmSync(join(this.#dataOf(name), FILLER), { force: true });
  }

  /** Steps the wall clock of the box. @param seconds from the right time */
  setClock(name: string, seconds: number): void {
    const sign = seconds < 0 ? '' : '+';
    writeFileSync(this.#file(`clock-${name}`), `${sign}${seconds}`);
  }

  limitDescriptors(name: string, count: number): void {
    execFileSync('prlimit', ['--pid', String(this.pidOf(name)), `--nofile=${count}:`]);
  }

  pidOf(name: string): number {
    return this.#processOf(name).pid;
  }

  residentBytes(name: string): number {
    return this.#processOf(name).residentBytes();
  }

  descriptors(name: string): number {
    return readdirSync(`/proc/${this.pidOf(name)}/fd`).length;
  }

  /** A connection to the MQTT port of the node. */
  dial(name: string): Duplex {
    const stream = connect(this.#file('relay'));
    stream.on('error', () => undefined);
    stream.write(`${this.network.address(name)} 1883\n`);
    return stream;
  }

  ask(name: string, path: string): Promise<unknown> {
    return new ControlClient(this.#socketOf(name)).ask({ path });
  }

  /** Keeps what a client prints beside its events. */
  note(client: string, line: string): void {
    this.#options.onLine(client, line);
  }

  async end(): Promise<void> {
    for (const process of this.#processes.values()) this.#endedBy.set(process, 'kill');
    const all = [...this.#processes.values(), ...this.#clients, this.#relay];
    for (const one of all) one.signal('SIGCONT');
    await Promise.all(all.map((one) => one.kill().catch(() => undefined)));
    this.network.destroy();
    for (const name of this.names) execFileSync('umount', [this.#dataOf(name)]);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #processOf(name: string): ShoalProcess {
    const found = this.#processes.get(name);
    if (found === undefined) throw new Error(`${name} was never started`);
    return found;
  }

  #dataOf(name: string): string {
    return this.#file(`data-${name}`);
  }

  /** Environment of a process whose wall clock follows a file. */
  #clockOf(name: string): Record<string, string> {
    const library = fakeClockLibrary();
    if (library === undefined) return {};
    return {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: this.#file(`clock-${name}`),
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
  }

  #socketOf(name: string): string {
    return this.#file(`${name}.sock`);
  }

  #file(name: string): string {
    return join(this.#folder, name);
  }
}

/** Of Debian's package libfaketime; without it clocks do not step. */
export function fakeClockLibrary(): string | undefined {
  const folders = readdirSync('/usr/lib').map((one) => `/usr/lib/${one}/faketime/libfaketime.so.1`);
  return folders.find((path) => existsSync(path));
}
