// Compiles the load generator in C (main.c) and runs it on its own core.

import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { missingPrograms } from '../../support/programs.ts';
import { GENERATOR_CORE } from '../load/clock.ts';
import { withDescriptors } from '../load/descriptors.ts';

/** The reason why the generator cannot run here; false if it can. */
export function missingCompiler(): string | false {
  if (process.platform !== 'linux') return 'needs Linux (epoll)';
  return missingPrograms('cc', 'taskset');
}

/** Options of main.c; it uses its own default for each one left out. */
export interface GeneratorOptions {
  /** Addresses as 127.0.0.1:1883. */
  readonly publish: string;
  readonly subscribe?: string;
  /** Processes whose processor time is measured. */
  readonly pids?: readonly number[];
  /** 1: opens and closes `publishers` connections at a time instead of publishing. */
  readonly churn?: 1;
  readonly transport?: 'tcp' | 'tls' | 'websocket';
  readonly publishers?: number;
  readonly subscribers?: number;
  /** 1: each subscriber has one publisher; otherwise each has all. */
  readonly pairs?: 1;
  readonly qos?: 0 | 1;
  /** Of the payload, at least 16. */
  readonly bytes?: number;
  readonly window?: number;
  /** Messages a second over all publishers, in place of the window. */
  readonly rate?: number;
  /** 1, with rate: sleeps until a message is due, so that the process may have a priority over others on its core. */
  readonly sleep?: 1;
  /** 1, with churn: resumes TLS sessions. */
  readonly resume?: 1;
  /** Seconds. */
  readonly warmup?: number;
  readonly seconds?: number;
  /** Ends before its time after this many deliveries or connections. */
  readonly limit?: number;
  /** Seconds without an arrival, after which a window is reopened, and the end of the run waits no longer. */
  readonly patience?: number;
}

/** What main.c prints. Figures of messages are missing for connects, and the other way round. */
export interface GeneratorResult {
  /** Deliveries, or connections, a second. */
  readonly rate: number;
  /** Shares of a core. */
  readonly generatorBusy: number;
  readonly brokerBusy: number;
  /** Processor time for each delivery or connection, microseconds; missing without any. */
  readonly generatorUs?: number;
  readonly brokerUs?: number;
  /** Deliveries over the whole run: expected, missing, after a later one, and twice. */
  readonly sent?: number;
  readonly lost?: number;
  readonly late?: number;
  readonly doubled?: number;
  /** How often a window was reopened because nothing had arrived. */
  readonly stalls?: number;
  /** Latency, microseconds. */
  readonly p50?: number;
  readonly p99?: number;
  readonly p999?: number;
  readonly max?: number;
  /** Share of the TLS handshakes that resumed a session. */
  readonly resumed?: number;
}

/** The compiled program in a temporary folder, until it is removed. */
export class CompiledGenerator {
  readonly #folder = mkdtempSync(join(tmpdir(), 'shoal-generator-'));
  readonly #program = join(this.#folder, 'main');

  constructor() {
    const sources = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.c'));
    const files = sources.map((name) => join(import.meta.dirname, name));
    const flags = ['-O2', '-Wall', '-Wextra', '-Werror', '-o', this.#program];
    execFileSync('cc', [...flags, ...files, '-ldl'], { stdio: ['ignore', 'ignore', 'inherit'] });
  }

  /**
   * @param before a command that runs the generator, as `chrt -f 10`
   * @throws if the generator fails, for example because the broker refuses a connection
   */
  async run(
    { pids = [], ...options }: GeneratorOptions,
    before: readonly string[] = [],
  ): Promise<GeneratorResult> {
    const words = Object.entries({ ...options, pids: pids.join(',') });
    const [program, ...args] = withDescriptors([
      ...['taskset', '-c', String(GENERATOR_CORE), ...before, this.#program],
      ...words.map(([name, value]) => `${name}=${value}`),
    ]);
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let [printed, said] = ['', ''];
    child.stdout.on('data', (chunk) => {
      printed += chunk;
    });
    child.stderr.on('data', (chunk) => {
      said += chunk;
    });
    await new Promise((resolve) => child.once('close', resolve));
    if (child.exitCode !== 0) throw new Error(said.trim() || `ended with ${child.exitCode}`);
    return JSON.parse(printed) as GeneratorResult;
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
