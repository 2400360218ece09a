// The boxes of a run: each a network namespace with a node on its default ports, with a data folder and a
// control socket. Starts, kills, stops and continues the processes.
// Invariant: end() leaves no process, no namespace and no file behind, except the history.

import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Duplex } from 'node:stream';
import { ControlClient } from '../../src/cli/control-client.ts';
import { Network } from '../integration/support/network.ts';
import { BUNDLE, ShoalProcess } from '../support/shoal-process.ts';
import { WatchedProcess } from '../support/watched-process.ts';

const RELAY = resolve(import.meta.dirname, '../integration/support/relay.ts');
const CLIENTS = 'clients';

export interface SiteOptions {
  readonly nodes: number;
  readonly bundle?: string;
  /** For each node, beside those that make the cluster. */
  readonly flags: readonly string[];
}

export class Site {
  readonly names: readonly string[];
  readonly network: Network;
  readonly #options: SiteOptions;
  readonly #folder = mkdtempSync(join(tmpdir(), 'shoal-chaos-'));
  readonly #relay: WatchedProcess;
  readonly #processes = new Map<string, ShoalProcess>();
  readonly #logs: string[] = [];

  constructor(options: SiteOptions) {
    this.#options = options;
    this.names = Array.from({ length: options.nodes }, (_, i) => `n${i + 1}`);
    const hosts = Object.fromEntries(this.names.map((name, i) => [name, [`192.168.1.${101 + i}`]]));
    this.network = new Network({ ...hosts, [CLIENTS]: ['192.168.1.200'] });
    const relay = [process.execPath, '--import=tsx', RELAY, this.#file('relay')];
    this.#relay = new WatchedProcess(relay, { via: this.network.via(CLIENTS) });
    writeFileSync(this.#file('token'), `${randomBytes(32).toString('hex')}\n`);
  }

  async begin(): Promise<void> {
    await this.#relay.waitFor(/relay ready/);
    for (const name of this.names) this.start(name);
    await Promise.all(this.names.map((name) => this.untilOpen(name)));
  }

  start(name: string): void {
    const others = this.names.filter((other) => other !== name);
    const data = this.#file(`data-${name}`);
    mkdirSync(data, { recursive: true });
    const flags = [
      `-nid=${name}`,
      `-csk-file=${this.#file('token')}`,
      `-mbs=${others.map((other) => this.network.address(other)).join(',')}`,
      `-data=${data}`,
      `-control=${this.#socketOf(name)}`,
      '-anonymous',
      ...this.#options.flags,
    ];
    const { bundle = BUNDLE } = this.#options;
    const via = this.network.via(name);
    const onLine = (line: string): number => this.#logs.push(`${name} ${line}`);
    this.#processes.set(name, new ShoalProcess(flags, { bundle, via, onLine, cwd: this.#folder }));
  }

  async untilOpen(name: string): Promise<void> {
    await this.#processOf(name).mqttPort();
  }

  signal(name: string, signal: NodeJS.Signals): void {
    this.#processOf(name).signal(signal);
  }

  async kill(name: string): Promise<void> {
    await this.#processOf(name).kill();
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

  /** What all nodes have logged, each line with the name of its node. */
  get log(): string {
    return this.#logs.map((line) => `${line}\n`).join('');
  }

  async end(): Promise<void> {
    const all = [...this.#processes.values(), this.#relay];
    for (const one of all) one.signal('SIGCONT');
    await Promise.all(all.map((one) => one.kill().catch(() => undefined)));
    this.network.destroy();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #processOf(name: string): ShoalProcess {
    const found = this.#processes.get(name);
    if (found === undefined) throw new Error(`${name} was never started`);
    return found;
  }

  #socketOf(name: string): string {
    return this.#file(`${name}.sock`);
  }

  #file(name: string): string {
    return join(this.#folder, name);
  }
}
