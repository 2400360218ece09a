// Three nodes on this machine, each a process of the bundle, and what each of them says of the
// others in its log: nothing of it is assumed, everything is seen.

import { loopbackFlags, ShoalProcess } from '../../test/support/shoal-process.ts';

export type SeenState = 'online' | 'suspect' | 'offline' | 'left';

const STATE_EVENT = /^cluster (online|suspect|offline|left) (n\d)\b/;
const TOKEN = 'demo-token';

export interface StateChange {
  readonly observer: string;
  readonly subject: string;
  readonly state: SeenState;
  /** In the node's words. */
  readonly reason: string;
}

/** As a node last said it. */
export interface Sighting {
  readonly state: SeenState;
  readonly atMs: number;
}

export class DemoNode {
  readonly name: string;
  readonly #seeds: readonly DemoNode[];
  readonly #onChange: (change: StateChange) => void;
  /** What this node last said of each other one. */
  readonly sees = new Map<string, Sighting>();
  process: ShoalProcess | undefined;
  mqttPort = 0;
  gossipAddress = '';
  #syncPort = 0;

  constructor(name: string, seeds: readonly DemoNode[], onChange: (change: StateChange) => void) {
    this.name = name;
    this.#seeds = seeds;
    this.#onChange = onChange;
  }

  /** @returns undefined before the first word of it */
  stateOf(subject: DemoNode): SeenState | undefined {
    return this.sees.get(subject.name)?.state;
  }

  get running(): boolean {
    return this.process?.running === true;
  }

  /** The first start takes any free ports; a later one takes them again, as a box would. */
  async start(): Promise<void> {
    this.sees.clear();
    const shoal = new ShoalProcess(this.flags(), {
      ownGroup: true,
      onLine: (line) => this.#read(line),
    });
    this.process = shoal;
    this.mqttPort = await shoal.mqttPort();
    this.gossipAddress = await shoal.gossipAddress();
    this.#syncPort = await shoal.syncPort();
  }

  flags(): string[] {
    const flags = loopbackFlags(this.name, `-csk=${TOKEN}`, '-log-format=json');
    if (this.mqttPort !== 0) {
      const gossipPort = this.gossipAddress.split(':').at(-1);
      flags.push(`-port=${this.mqttPort}`, `-crp=${gossipPort}`, `-csp=${this.#syncPort}`);
    }
    const seeds = this.#seeds.map((seed) => seed.gossipAddress);
    return seeds.length === 0 ? flags : [...flags, `-mbs=${seeds.join(',')}`];
  }

  #read(line: string): void {
    const { event = '', reason = '' } = parseRecord(line);
    const [, state, subject] = STATE_EVENT.exec(event) ?? [];
    if (state === undefined || subject === undefined || subject === this.name) return;
    this.sees.set(subject, { state: state as SeenState, atMs: performance.now() });
    this.#onChange({ observer: this.name, subject, state: state as SeenState, reason });
  }
}

function parseRecord(line: string): { event?: string; reason?: string } {
  try {
    return JSON.parse(line);
  } catch {
    // What Node itself prints is no record.
    return {};
  }
}

/** The first node is the seed of the others, as on the first three boxes of a real cluster. */
export function makeCluster(onChange: (change: StateChange) => void): DemoNode[] {
  const first = new DemoNode('n1', [], onChange);
  return [first, ...['n2', 'n3'].map((name) => new DemoNode(name, [first], onChange))];
}
