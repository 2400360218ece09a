// Starts the built bundle as a process of its own, as a user does, and watches what it prints. For
// the integration tests and the demo. Knows the bundle only by its command line and its output.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

export const BUNDLE = resolve(import.meta.dirname, '../../dist/shoal.js');

/** The Node that runs the bundle; another release of it may be given. */
export const NODE = process.env.SHOAL_NODE ?? process.execPath;

const START_MS_MAX = 10_000;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface SpawnSettings {
  readonly bundle?: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Out of reach of the terminal's Ctrl-C, so that only signals from here count. */
  readonly ownGroup?: boolean;
  /** Called with each whole line of the output, as it comes. */
  readonly onLine?: (line: string) => void;
}

/** Whatever ends us, no node is left behind. */
const children = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

export class ShoalProcess {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #watchers = new Set<() => void>();
  readonly exited: Promise<Exit>;

  constructor(flags: readonly string[], settings: SpawnSettings = {}) {
    const { bundle = BUNDLE, cwd, env = {}, ownGroup = false, onLine } = settings;
    if (!existsSync(bundle)) throw new Error(`${bundle} is not there: npm run build`);
    this.#child = spawn(NODE, [bundle, ...flags], {
      cwd,
      env: { PATH: process.env.PATH, ...env },
      detached: ownGroup,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.add(this.#child);
    this.exited = new Promise((done) => {
      this.#child.on('close', (code, signal) => {
        children.delete(this.#child);
        done({ code, signal });
        this.#wake();
      });
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      let rest = '';
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        this.#lines.push(...lines);
        for (const line of lines) onLine?.(line);
        this.#wake();
      });
    }
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get output(): string {
    return this.#lines.map((line) => `${line}\n`).join('');
  }

  /** @returns the match, as soon as a line has it; rejects when time is over or the process ended */
  waitFor(pattern: RegExp, msMax = START_MS_MAX): Promise<RegExpExecArray> {
    return new Promise((done, fail) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#watchers.delete(look);
      };
      const giveUp = (reason: string): void => {
        end();
        fail(new Error(`${pattern}: ${reason}; the output was:\n${this.output}`));
      };
      const look = (): void => {
        const match = this.#find(pattern);
        if (match === undefined) {
          if (!this.running) giveUp('the process ended');
          return;
        }
        end();
        done(match);
      };
      const timer = setTimeout(() => giveUp(`not within ${msMax} ms`), msMax);
      this.#watchers.add(look);
      look();
    });
  }

  /** The port of the MQTT listener, once it listens. */
  async mqttPort(): Promise<number> {
    const [, port] = await this.waitFor(/Shoal v\S+ tcp \S+:(\d+)/);
    return Number(port);
  }

  /** Where other nodes reach this one: for their -mbs. */
  async gossipAddress(): Promise<string> {
    const [, address = ''] = await this.waitFor(/cluster on udp ([^\s"]+)/);
    return address;
  }

  /** The UDP port that messages of other nodes come in at. */
  async syncPort(): Promise<number> {
    const [, port] = await this.waitFor(/cluster sync on udp port (\d+)/);
    return Number(port);
  }

  signal(name: NodeJS.Signals): void {
    if (this.running) this.#child.kill(name);
  }

  async stop(): Promise<Exit> {
    this.signal('SIGTERM');
    return this.exited;
  }

  async kill(): Promise<Exit> {
    this.signal('SIGKILL');
    return this.exited;
  }

  #find(pattern: RegExp): RegExpExecArray | undefined {
    for (const line of this.#lines) {
      const match = pattern.exec(line);
      if (match !== null) return match;
    }
    return undefined;
  }

  #wake(): void {
    for (const look of [...this.#watchers]) look();
  }
}

/** Flags of a node that takes any free ports on loopback. */
export function loopbackFlags(name: string, ...more: string[]): string[] {
  return [`-nid=${name}`, '-bind=127.0.0.1', '-port=0', '-crp=0', '-csp=0', ...more];
}
