// The timers that storage uses: Node's own, or those of a simulation, which repeats a run exactly for
// the same seed.

export interface Timers {
  setImmediate(work: () => void): unknown;
  setTimeout(work: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

export const systemTimers: Timers = globalThis;
