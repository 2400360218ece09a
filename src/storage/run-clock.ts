// Joins the clocks of several process runs into one timeline, from the stamps of their blocks. Within a
// run only the monotonic clock counts, since it never jumps. Between two runs the wall clock gives the
// downtime, if it is plausible: a box without a battery-backed clock boots in 1970 and jumps when it
// reaches a time server. In doubt no time has passed, so that nothing expires too early.

import type { Stamp } from './file-format.ts';

/** 2024-01-01. A wall clock that shows an earlier time has not been set. */
const WALL_PLAUSIBLE_MS = 1_704_067_200_000;

export class RunClock {
  #run: bigint | undefined;
  /** Offset from the current run's clock to the timeline. */
  #base = 0;
  #now = 0;
  #wall = 0;

  /** Moves to a block's stamp. @returns the offset from this run's clock to the timeline, in ms */
  enter(run: bigint, stamp: Stamp): number {
    if (run !== this.#run) {
      this.#run = run;
      this.#base = this.#now + timeBetween(this.#wall, stamp.wall) - stamp.mono;
    }
    const at = this.#base + stamp.mono;
    if (at >= this.#now) {
      this.#now = at;
      this.#wall = stamp.wall;
    }
    return this.#base;
  }

  /** @returns the offset from the timeline to the present monotonic clock, in ms */
  toPresent(present: Stamp): number {
    return present.mono - (this.#now + timeBetween(this.#wall, present.wall));
  }
}

function timeBetween(earlier: number, later: number): number {
  if (earlier < WALL_PLAUSIBLE_MS || later < WALL_PLAUSIBLE_MS) return 0;
  return Math.max(0, later - earlier);
}
