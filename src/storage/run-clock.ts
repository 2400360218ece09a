// One line of time through the runs of several processes, from the stamps of their blocks. Within a
// run its own clock counts, which doesn't jump; between two runs the wall clock tells how long
// nobody was there, but only where it can be believed: a box without a battery for its clock
// begins in 1970 and jumps when it finds a time server. In doubt no time has passed, so that
// nothing expires that should not.

import type { Stamp } from './file-format.ts';

/** 2024-01-01. A wall clock before it has not been set. */
const WALL_PLAUSIBLE_MS = 1_704_067_200_000;

export class RunClock {
  #run: bigint | undefined;
  /** What to add to the present run's clock. */
  #base = 0;
  #now = 0;
  #wall = 0;

  /** @returns what to add to a time of this run's clock to have it on the line */
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

  /** @returns what to add to a time on the line to have it by the given clocks of now */
  toPresent(present: Stamp): number {
    return present.mono - (this.#now + timeBetween(this.#wall, present.wall));
  }
}

function timeBetween(earlier: number, later: number): number {
  if (earlier < WALL_PLAUSIBLE_MS || later < WALL_PLAUSIBLE_MS) return 0;
  return Math.max(0, later - earlier);
}
