// How the storage waits for a later turn of the event loop or for a time: Node's own timers, or those
// of a simulation, which gives the same run for the same seed.

export interface Timers {
  setImmediate(work: () => void): unknown;
  setTimeout(work: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

export const systemTimers: Timers = globalThis;
