// The times of SWIM, their presets, and the arithmetic that follows from them and from the size of
// the cluster. Pure numbers; the only place where the formulas stand.

export interface Timing {
  /** T: every period one member is pinged; after three without an answer it is offline. */
  readonly periodMs: number;
  /** Without an ack for so long, other nodes are asked to ping. */
  readonly pingTimeoutMs: number;
}

/** `lan` is the default; `wan` for links of up to 1 s round trip; `local` for one machine. */
export const TIMING_PRESETS = {
  lan: { periodMs: 1000, pingTimeoutMs: 300 },
  wan: { periodMs: 5000, pingTimeoutMs: 2000 },
  local: { periodMs: 300, pingTimeoutMs: 100 },
} as const satisfies Readonly<Record<string, Timing>>;

export type TimingPreset = keyof typeof TIMING_PRESETS;

const PERIOD_MS_MIN = 100;
const PERIOD_MS_MAX = 60_000;
const PING_TIMEOUT_MS_MIN = 20;

/** @returns what is wrong, as a sentence that says what would be right; undefined if nothing is */
export function timingFault(timing: Timing): string | undefined {
  const { periodMs, pingTimeoutMs } = timing;
  if (!Number.isInteger(periodMs) || periodMs < PERIOD_MS_MIN || periodMs > PERIOD_MS_MAX) {
    return `the period must be ${PERIOD_MS_MIN} to ${PERIOD_MS_MAX} ms, not ${periodMs}`;
  }
  if (!Number.isInteger(pingTimeoutMs) || pingTimeoutMs < PING_TIMEOUT_MS_MIN) {
    return `the ping timeout must be at least ${PING_TIMEOUT_MS_MIN} ms, not ${pingTimeoutMs}`;
  }
  // A helper waits one timeout of its own before it says nack: later than T is too late.
  if (2 * pingTimeoutMs >= periodMs) {
    return `twice the ping timeout (${pingTimeoutMs} ms) must be less than the period (${periodMs} ms)`;
  }
  return undefined;
}

/** Strikes that make a suspect (the first) and an offline member. */
export const STRIKES_TO_OFFLINE = 3;

/** A round in which the helpers were silent too: the fault may be ours. */
export const STRIKE_WITHOUT_NACK = 0.5;

/** More updates than this don't fit into one datagram: many join at once. */
export const CROWD = 32;

/**
 * How often one update is sent; enough for everybody to hear it without any TCP exchange. In a
 * crowd a third must do: whom it misses finds that by the table hash, and pulls.
 */
export function transmitLimit(members: number, queued: number): number {
  const infection = Math.ceil(Math.log2(members + 2));
  return queued > CROWD ? infection : 3 * infection;
}

/** For nodes that only heard of a suspicion: how long until they believe the member is gone. */
export function suspicionTimeoutMs(members: number, periodMs: number): number {
  return 2 * (4 + Math.ceil(Math.log10(Math.max(members, 1)))) * periodMs;
}
