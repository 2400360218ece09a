// How many beacons are opened: each costs some microseconds of decryption, and anyone on the network may
// send them. Pure: `now` is an argument. Invariant: at most TOTAL_PER_SECOND in a second, of one source
// at most SOURCE_PER_SECOND, and SOURCES_MAX entries.

import { sourceOf } from '../shared/ip-address.ts';

export const TOTAL_PER_SECOND = 500;
export const SOURCE_PER_SECOND = 40;
const SOURCES_MAX = 256;
const WINDOW_MS = 1000;

export class BeaconLimit {
  readonly #sources = new Map<string, number>();
  #total = 0;
  #until = Number.NEGATIVE_INFINITY;

  /** Counts one beacon. @returns false if it has to be dropped unread */
  admit(now: number, address: string): boolean {
    if (now >= this.#until) {
      this.#until = now + WINDOW_MS;
      this.#total = 0;
      this.#sources.clear();
    }
    const source = sourceOf(address);
    const count = (this.#sources.get(source) ?? 0) + 1;
    if (count > SOURCE_PER_SECOND || this.#total >= TOTAL_PER_SECOND) return false;
    if (count === 1 && this.#sources.size >= SOURCES_MAX) return false;
    this.#sources.set(source, count);
    this.#total += 1;
    return true;
  }
}
