// Runs a fuzz target on mutated inputs until it fails, or for as long as wanted. With coverage an input that reaches new
// code becomes one to mutate. A failing input is made smaller. The same seed gives the same inputs, as long
// as the target's code is the same. Invariant: the target gets a copy of each input that is its own.

import { promisify } from 'node:util';
import { Coverage } from './coverage.ts';
import { Mutator } from './mutator.ts';
import type { FuzzTarget } from './target.ts';

/** Lets immediates run: what a target leaves to them stays in memory until then. */
const endTurn = promisify(setImmediate);

/** Inputs for each question about coverage, and for each turn of the event loop. */
const BATCH = 64;
const RECENT = 4;
const MINIMIZE_RUNS_MAX = 2000;
/** Inputs to mutate. */
const POOL_MAX = 4000;

export interface FuzzOptions {
  readonly seed: number;
  /** Inputs that are never changed themselves. */
  readonly corpus: readonly Buffer[];
  readonly inputsMax: number;
  /** Ends earlier at this time, ms of performance.now(). */
  readonly until?: number;
  readonly usesCoverage: boolean;
}

export interface FuzzResult {
  /** Inputs tried. */
  readonly inputs: number;
  /** Inputs that reached new code. */
  readonly found: readonly Buffer[];
  readonly fault: Fault | undefined;
}

export interface Fault {
  readonly input: Buffer;
  readonly error: Error;
}

export function fuzz(target: FuzzTarget, options: FuzzOptions): Promise<FuzzResult> {
  const coverage = options.usesCoverage ? new Coverage((url) => target.covers(url)) : undefined;
  return new Run(target, options, coverage).run();
}

/** @returns undefined if the target takes the input */
export async function tryInput(target: FuzzTarget, input: Buffer): Promise<Error | undefined> {
  try {
    await target.run(Buffer.from(input));
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

class Run {
  readonly #target: FuzzTarget;
  readonly #options: FuzzOptions;
  readonly #coverage: Coverage | undefined;
  readonly #mutator: Mutator;
  readonly #pool: Buffer[];
  #inputs = 0;

  constructor(target: FuzzTarget, options: FuzzOptions, coverage: Coverage | undefined) {
    this.#target = target;
    this.#options = options;
    this.#coverage = coverage;
    this.#pool = [...options.corpus];
    const { bytesMax, words } = target;
    this.#mutator = new Mutator({ seed: options.seed, bytesMax, words });
  }

  async run(): Promise<FuzzResult> {
    const { inputsMax, until = Number.POSITIVE_INFINITY, corpus } = this.#options;
    for (const input of corpus) {
      const fault = await this.#try(input);
      if (fault !== undefined) return this.#result(fault);
    }
    this.#coverage?.hasGrown(true);
    while (this.#inputs < inputsMax && performance.now() < until) {
      const batch = Array.from({ length: BATCH }, () => this.#next());
      for (const input of batch) {
        const fault = await this.#try(input);
        if (fault !== undefined) return this.#result(await this.#minimize(fault));
      }
      await endTurn();
      if (this.#coverage?.hasGrown(false) === true) await this.#keepNew(batch, this.#coverage);
    }
    return this.#result(undefined);
  }

  #next(): Buffer {
    const pool = this.#pool;
    // Half of them come from the inputs that reached new code last: that is where more is to be found.
    const recent = this.#mutator.below(2) === 0 ? Math.min(RECENT, pool.length) : pool.length;
    const input = pool[pool.length - 1 - this.#mutator.below(recent)] ?? Buffer.alloc(0);
    return this.#mutator.mutate(input, pool);
  }

  async #try(input: Buffer): Promise<Fault | undefined> {
    this.#inputs += 1;
    const error = await tryInput(this.#target, input);
    return error && { input, error };
  }

  /** A batch has reached new code: runs each input again, and keeps those that do. */
  async #keepNew(batch: readonly Buffer[], coverage: Coverage): Promise<void> {
    for (const input of batch) {
      await tryInput(this.#target, input);
      if (!coverage.hasGrown(true)) continue;
      if (this.#pool.length < POOL_MAX) this.#pool.push(input);
    }
  }

  /** Leaves out pieces as long as the target still fails. */
  async #minimize({ input, error }: Fault): Promise<Fault> {
    let best = { input, error };
    let runs = 0;
    for (let size = Math.ceil(input.length / 2); size >= 1; size = Math.floor(size / 2)) {
      for (let at = 0; at < best.input.length && runs < MINIMIZE_RUNS_MAX; runs++) {
        const shorter = Buffer.concat([best.input.subarray(0, at), best.input.subarray(at + size)]);
        const failure = await tryInput(this.#target, shorter);
        if (failure === undefined) at += size;
        else best = { input: shorter, error: failure };
      }
    }
    return best;
  }

  #result(fault: Fault | undefined): FuzzResult {
    return { inputs: this.#inputs, found: this.#pool.slice(this.#options.corpus.length), fault };
  }
}
