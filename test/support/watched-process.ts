// A child process with its output, line by line, for the tests and the demo. Knows nothing of the program
// in it. Invariant: every wait has a limit, and its error contains the whole output.

import { type ChildProcess, spawn } from 'node:child_process';

const WAIT_MS_MAX = 60_000;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface SpawnSettings {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Out of reach of the terminal's Ctrl-C, so that only signals from here count. */
  readonly ownGroup?: boolean;
  /** With `pipe`, the child's standard input ends when this process ends. Default: no input. */
  readonly stdin?: 'ignore' | 'pipe';
  /** What is put before the command line, as `ip netns exec NAME`; it must exec, not fork. */
  readonly via?: readonly string[];
  /** Called with each whole line of the output, as it comes. */
  readonly onLine?: (line: string) => void;
}

export class WatchedProcess {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #watchers = new Set<() => void>();
  readonly exited: Promise<Exit>;

  constructor(commandLine: readonly string[], settings: SpawnSettings = {}) {
    const { cwd, env = {}, ownGroup = false, stdin = 'ignore', via = [], onLine } = settings;
    const [command = '', ...flags] = [...via, ...commandLine];
    this.#child = spawn(command, flags, {
      cwd,
      env: { PATH: process.env.PATH, ...env },
      detached: ownGroup,
      stdio: [stdin, 'pipe', 'pipe'],
    });
    this.exited = new Promise((done, fail) => {
      this.#child.on('error', fail);
      this.#child.on('close', (code, signal) => {
        done({ code, signal });
        this.#wake();
      });
    });
    // What is written to a program that has ended is lost; `exited` says that it has.
    this.#child.stdin?.on('error', () => undefined);
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

  /** Lines so far: for waitFor, to wait for what comes from now on only. */
  get lineCount(): number {
    return this.#lines.length;
  }

  /**
   * @param fromLine lines before this one don't count
   * @returns the match, as soon as a line has it; rejects when time is over or the process ended
   */
  waitFor(pattern: RegExp, msMax = WAIT_MS_MAX, fromLine = 0): Promise<RegExpExecArray> {
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
        const match = this.#find(pattern, fromLine);
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

  signal(name: NodeJS.Signals): void {
    if (this.running) this.#child.kill(name);
  }

  /** To its standard input; needs `stdin: 'pipe'`. */
  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  async stop(): Promise<Exit> {
    this.signal('SIGTERM');
    return this.exited;
  }

  async kill(): Promise<Exit> {
    this.signal('SIGKILL');
    return this.exited;
  }

  #find(pattern: RegExp, fromLine: number): RegExpExecArray | undefined {
    for (let index = fromLine; index < this.#lines.length; index++) {
      const match = pattern.exec(this.#lines[index] ?? '');
      if (match !== null) return match;
    }
    return undefined;
  }

  #wake(): void {
    for (const look of [...this.#watchers]) look();
  }
}
