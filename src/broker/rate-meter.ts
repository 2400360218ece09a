// Rates with bursts: how long something has to wait so that a rate is kept. The generic cell rate
// algorithm (ITU-T I.371): one number holds what a bucket of tokens would, and nothing is refilled.
// Pure: `now` is an argument.
// Invariant: what waits is charged once, when it arrives. So those that share a meter and each wait
// before they bring more take turns, however much one of them has to send.

export interface Rate {
  /** Infinity: no limit. */
  readonly perSecond: number;
  /** What may come at once after silence, as the time that the rate takes for it. */
  readonly burstMs: number;
}

export class RateMeter {
  /** When everything charged so far is paid for, milliseconds. */
  #paidAt = 0;

  /** How long something that comes now has to wait, milliseconds; 0: not at all. */
  waitMs(rate: Rate, now: number): number {
    return Math.max(0, this.#paidAt - now - rate.burstMs);
  }

  /** Charges `amount`. @returns how long it has to wait, milliseconds; 0: not at all */
  charge(amount: number, rate: Rate, now: number): number {
    if (rate.perSecond === Number.POSITIVE_INFINITY) return 0;
    const waitMs = this.waitMs(rate, now);
    this.#paidAt = Math.max(this.#paidAt, now) + (amount * 1000) / rate.perSecond;
    return waitMs;
  }
}
