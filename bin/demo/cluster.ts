// Three nodes on this machine, each a process that runs the bundle. What a node knows of the others is
// read from its log. Invariant: after end() no node runs, and none can be started.

import { join } from 'node:path';
import { loopbackFlags, ShoalProcess } from '../../test/support/shoal-process.ts';

export type PeerState = 'online' | 'suspect' | 'offline' | 'left';

const STATE_EVENT = /^cluster (online|suspect|offline|left) (n\d)\b/;
const TOKEN = 'demo-token';
const PRELOAD = join(import.meta.dirname, 'end-with-parent.cjs');
/** A node needs about a second to leave the cluster; then it is killed. */
const STOP_MS_MAX = 3000;

/** `elsewhere`: a person started the node again, in a terminal of their own. */
export type Status = 'not started' | 'running' | 'killed' | 'elsewhere';

export interface StateChange {
  readonly observer: string;
  readonly subject: string;
  readonly state: PeerState;
  /** As the observer's log gives it. */
  readonly reason: string;
}

/** The last state of a peer in a node's log. */
export interface Sighting {
  readonly state: PeerState;
  readonly atMs: number;
}

export class DemoNode {
  readonly name: string;
  readonly #seeds: readonly DemoNode[];
  readonly #onChange: (change: StateChange) => void;
  /** The last state of each other node, as this node logged it. */
  readonly sees = new Map<string, Sighting>();
  #process: ShoalProcess | undefined;
  #endedMs = Number.POSITIVE_INFINITY;
  #isEnding = false;
  mqttPort = 0;
  gossipAddress = '';
  #syncPort = 0;

  constructor(name: string, seeds: readonly DemoNode[], onChange: (change: StateChange) => void) {
    this.name = name;
    this.#seeds = seeds;
    this.#onChange = onChange;
  }

  get isRunning(): boolean {
    return this.#process?.running === true;
  }

  /** Undefined before the first start. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** @param nodes all nodes of the cluster */
  status(nodes: readonly DemoNode[]): Status {
    if (this.#process === undefined) return 'not started';
    if (this.isRunning) return 'running';
    const isBack = nodes.some((node) => {
      const sighting = node.isRunning ? node.sees.get(this.name) : undefined;
      return sighting?.state === 'online' && sighting.atMs > this.#endedMs;
    });
    return isBack ? 'elsewhere' : 'killed';
  }

  /** @returns undefined while this node has logged nothing about `subject` */
  stateOf(subject: DemoNode): PeerState | undefined {
    return this.sees.get(subject.name)?.state;
  }

  /** The first start takes free ports; a later start takes the same ports, as a box would. */
  async start(): Promise<void> {
    if (this.#isEnding) throw new Error('the demo is ending');
    this.sees.clear();
    const shoal = new ShoalProcess([...this.#flags(), '-log-format=json'], {
      nodeFlags: ['--require', PRELOAD],
      ownGroup: true,
      stdin: 'pipe',
      onLine: (line) => this.#read(line),
    });
    this.#process = shoal;
    this.#endedMs = Number.POSITIVE_INFINITY;
    shoal.exited
      .catch(() => undefined)
      .then(() => {
        this.#endedMs = performance.now();
      });
    this.mqttPort = await shoal.mqttPort();
    this.gossipAddress = await shoal.gossipAddress();
    this.#syncPort = await shoal.syncPort();
  }

  /** The words of a command line that starts this node again. */
  commandLine(): string[] {
    return ['node', 'dist/shoal.js', ...this.#flags()];
  }

  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  /** @returns how the node ended if it was running and did not end as it should */
  async end(): Promise<string | undefined> {
    this.#isEnding = true;
    const shoal = this.#process;
    if (shoal === undefined || !shoal.running) return undefined;
    const timer = setTimeout(() => shoal.signal('SIGKILL'), STOP_MS_MAX);
    const { code, signal } = await shoal.stop();
    clearTimeout(timer);
    // A node that is still loading has no handler yet, and Ctrl-C reaches it before it has a group of its own.
    if (code === 0 || signal === 'SIGTERM' || signal === 'SIGINT') return undefined;
    return `${this.name} ended with ${code ?? signal}`;
  }

  killNow(): void {
    this.#isEnding = true;
    this.#process?.signal('SIGKILL');
  }

  #flags(): string[] {
    const flags = loopbackFlags(this.name, `-csk=${TOKEN}`);
    if (this.mqttPort !== 0) {
      const ports = { port: this.mqttPort, crp: portOf(this.gossipAddress), csp: this.#syncPort };
      for (const [flag, port] of Object.entries(ports)) {
        flags[flags.indexOf(`-${flag}=0`)] = `-${flag}=${port}`;
      }
    }
    const seeds = this.#seeds.map((seed) => seed.gossipAddress);
    return seeds.length === 0 ? flags : [...flags, `-mbs=${seeds.join(',')}`];
  }

  #read(line: string): void {
    const { event = '', reason = '' } = parseRecord(line);
    const [, state, subject] = STATE_EVENT.exec(event) ?? [];
    if (state === undefined || subject === undefined || subject === this.name) return;
    this.sees.set(subject, { state: state as PeerState, atMs: performance.now() });
    this.#onChange({ observer: this.name, subject, state: state as PeerState, reason });
  }
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}

function parseRecord(line: string): { event?: string; reason?: string } {
  try {
    return JSON.parse(line);
  } catch {
    // Node itself prints lines that are no records.
    return {};
  }
}

/** Makes the nodes without starting them. The first is the seed of the others. */
export function makeNodes(onChange: (change: StateChange) => void): DemoNode[] {
  const first = new DemoNode('n1', [], onChange);
  return [first, ...['n2', 'n3'].map((name) => new DemoNode(name, [first], onChange))];
}
