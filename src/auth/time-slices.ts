// Runs long work in slices of a few milliseconds, between which the event loop serves clients. The work
// is a generator that yields after each small step, such as a line of a file.

export type Steps<T> = Generator<void, T, void>;

/** An innocent client waits for at most a few slices, one in each turn of the event loop. */
const SLICE_MS = 2;
/** Steps between two readings of the clock. */
const STEPS = 16;

/** Resolves with the result of the work; rejects with what it throws. */
export async function runInSlices<T>(steps: Steps<T>): Promise<T> {
  for (;;) {
    const until = performance.now() + SLICE_MS;
    do {
      for (let step = 0; step < STEPS; step++) {
        const { done, value } = steps.next();
        if (done === true) return value;
      }
    } while (performance.now() < until);
    await new Promise<void>((resume) => setImmediate(resume));
  }
}

/** For programs that serve no clients. */
export function runAtOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}
