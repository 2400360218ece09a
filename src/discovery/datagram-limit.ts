// How many datagrams of discovery are read: each costs some microseconds, and anyone on the network may
// send them. Pure: `now` is an argument. Invariant: at most `total` in a second, of one source at most
// `ofSource`, and SOURCES_MAX entries.

import { sourceOf } from '../shared/ip-address.ts';

/** In a second. */
export interface DatagramRates {
  readonly total: number;
  readonly ofSource: number;
}

const SOURCES_MAX = 256;
const WINDOW_MS = 1000;

export class DatagramLimit {
  readonly #rates: DatagramRates;
  readonly #sources = new Map<string, number>();
  #total = 0;
  #until = Number.NEGATIVE_INFINITY;

  constructor(rates: DatagramRates) {
    this.#rates = rates;
  }

  /** Counts one datagram. @returns false if it has to be dropped unread */
  admit(now: number, address: string): boolean {
    if (now >= this.#until) {
      this.#until = now + WINDOW_MS;
      this.#total = 0;
      this.#sources.clear();
    }
    const source = sourceOf(address);
    const count = (this.#sources.get(source) ?? 0) + 1;
    if (count > this.#rates.ofSource || this.#total >= this.#rates.total) return false;
    if (count === 1 && this.#sources.size >= SOURCES_MAX) return false;
    this.#sources.set(source, count);
    this.#total += 1;
    return true;
  }
}
