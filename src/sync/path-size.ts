// Finds the largest datagram that reaches one peer, after RFC 8899 (packetization layer path MTU
// discovery). A hello that is answered proves its size. If data is lost later, padded heartbeats probe
// the size in use: when they vanish while small heartbeats pass, the next smaller size is taken.
// Larger sizes are tried again rarely. Knows nothing of sockets or timers.
// Invariant: `bytes` is one of the sizes between the configured one and the smallest fallback.

import {
  DATAGRAM_BYTES_DEFAULT,
  FALLBACK_DATAGRAM_BYTES,
  HELLO_SMALLER_FROM,
  PROBE_INTERVAL_MS,
  PROBES_LOST_MAX,
  RAISE_INTERVAL_MS,
} from './limits.ts';

export class PathSize {
  /** Largest first. */
  readonly #sizes: readonly number[];
  #index = 0;
  /** A hello of some size has been answered. */
  #isProven = false;
  #probing: 'none' | 'current' | 'larger' = 'none';
  #lostProbes = 0;
  /** Loss starts no probe before this time. */
  #probeAfter = Number.NEGATIVE_INFINITY;
  /** When the next larger size is tried; Infinity while the configured size is in use. */
  #raiseAt = Number.POSITIVE_INFINITY;

  /** @param datagramBytes the configured size: the largest to use */
  constructor(datagramBytes: number) {
    const smaller = FALLBACK_DATAGRAM_BYTES.filter((bytes) => bytes < datagramBytes);
    this.#sizes = [datagramBytes, ...smaller];
  }

  /** Largest datagram to send to the peer. */
  get bytes(): number {
    return this.#sizes[this.#index]!;
  }

  /** True while the answer to a probe is awaited, so that heartbeats should follow fast. */
  get isProbing(): boolean {
    return this.#probing !== 'none';
  }

  /**
   * The first hellos have the largest size and those down to the default; later ones the others as well.
   * @param count how many hellos have been sent before
   * @returns sizes to send now
   */
  helloSizes(count: number): readonly number[] {
    const least = Math.min(DATAGRAM_BYTES_DEFAULT, this.#sizes[0]!);
    return count < HELLO_SMALLER_FROM ? this.#sizes.filter((size) => size >= least) : this.#sizes;
  }

  /** A hello of this size has been answered. */
  helloAnswered(bytes: number, now: number): void {
    const index = this.#sizes.findIndex((size) => size <= bytes);
    if (index < 0 || (this.#isProven && index >= this.#index)) return;
    this.#isProven = true;
    this.#use(index, now);
  }

  /** The next hello that is answered decides the size anew. */
  reprove(): void {
    this.#isProven = false;
    this.#probing = 'none';
  }

  /** The peer has reported lost datagrams. The size may be the reason. */
  lossReported(now: number): void {
    if (!this.#isProven || this.#probing !== 'none' || now < this.#probeAfter) return;
    this.#probe('current');
  }

  /** @returns the size of the probe to send now; undefined if none is due */
  probeBytes(now: number): number | undefined {
    if (this.#probing === 'none' && now >= this.#raiseAt) this.#probe('larger');
    if (this.#probing === 'none') return undefined;
    return this.#probing === 'current' ? this.bytes : this.#sizes[this.#index - 1];
  }

  probePassed(bytes: number, now: number): void {
    if (this.#probing === 'larger' && bytes === this.#sizes[this.#index - 1]) {
      this.#use(this.#index - 1, now);
      if (this.#index > 0) this.#probe('larger');
    } else if (this.#probing === 'current' && bytes === this.bytes) {
      this.#stop(now);
    }
  }

  /** @param bytes size of a probe that did not arrive though a later small heartbeat did */
  probeLost(bytes: number, now: number): void {
    if (bytes !== this.probeBytes(now)) return;
    this.#lostProbes += 1;
    if (this.#lostProbes < PROBES_LOST_MAX) return;
    if (this.#probing === 'current' && this.#index + 1 < this.#sizes.length) {
      this.#use(this.#index + 1, now);
      this.#probe('current');
    } else {
      this.#stop(now);
    }
  }

  #probe(which: 'current' | 'larger'): void {
    this.#probing = which;
    this.#lostProbes = 0;
    this.#raiseAt = Number.POSITIVE_INFINITY;
  }

  #stop(now: number): void {
    this.#probeAfter = now + PROBE_INTERVAL_MS;
    this.#use(this.#index, now);
  }

  #use(index: number, now: number): void {
    this.#index = index;
    this.#probing = 'none';
    this.#raiseAt = index > 0 ? now + RAISE_INTERVAL_MS : Number.POSITIVE_INFINITY;
  }
}
