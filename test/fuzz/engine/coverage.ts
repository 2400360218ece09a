// Which parts of the sources have run, from V8's precise coverage: says whether a few inputs have reached anything
// new. Takes milliseconds for each question, so ask for many inputs at once.

import type { Profiler } from 'node:inspector';
import { Session } from 'node:inspector';

let session: Session | undefined;

/** One for the process: the counts of V8 are shared by all. */
function profilerSession(): Session {
  if (session !== undefined) return session;
  session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  return session;
}

export class Coverage {
  readonly #session = profilerSession();
  readonly #isOfInterest: (url: string) => boolean;
  /** Bytes of a script that have run, by its URL. */
  readonly #covered = new Map<string, Uint8Array>();

  /** @param isOfInterest whether a script counts */
  constructor(isOfInterest: (url: string) => boolean) {
    this.#isOfInterest = isOfInterest;
    // What ran before is forgotten.
    this.#session.post('Profiler.takePreciseCoverage');
  }

  /**
   * Whether anything ran since the last call that had never run before.
   * @param isKept false: it counts as new the next time as well
   */
  hasGrown(isKept: boolean): boolean {
    let hasGrown = false;
    // A session in this thread answers before post() returns.
    this.#session.post('Profiler.takePreciseCoverage', (error, { result }) => {
      if (error !== null) throw error;
      for (const script of result)
        if (this.#isOfInterest(script.url)) hasGrown = this.#add(script, isKept) || hasGrown;
    });
    return hasGrown;
  }

  #add({ url, functions }: Profiler.ScriptCoverage, isKept: boolean): boolean {
    const end = Math.max(...functions.flatMap(({ ranges }) => ranges.map((one) => one.endOffset)));
    let covered = this.#covered.get(url);
    if (covered === undefined || covered.length < end) {
      const longer = new Uint8Array(end);
      longer.set(covered ?? []);
      covered = longer;
      this.#covered.set(url, covered);
    }
    let hasGrown = false;
    for (const { ranges } of functions) {
      if (ranges[0]!.count === 0) continue;
      // Inner ranges come after the outer ones and say where a count differs.
      for (const [start, stop] of runParts(ranges)) {
        for (let at = start; at < stop; at++) {
          if (covered[at] === 1) continue;
          if (!isKept) return true;
          covered[at] = 1;
          hasGrown = true;
        }
      }
    }
    return hasGrown;
  }
}

/** The parts of a function that have run: its range without those of count 0. */
function* runParts(ranges: readonly Profiler.CoverageRange[]): Generator<[number, number]> {
  const [whole] = ranges;
  let at = whole!.startOffset;
  for (const { startOffset, endOffset, count } of ranges) {
    if (count > 0 || endOffset <= at) continue;
    if (startOffset > at) yield [at, startOffset];
    at = endOffset;
  }
  if (at < whole!.endOffset) yield [at, whole!.endOffset];
}
