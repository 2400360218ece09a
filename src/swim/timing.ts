// The times of SWIM, their presets, and the formulas that depend on them and on the size of the
// cluster. Pure numbers. Sources: SWIM paper 4.1 and 4.2, memberlist's config.go.

export interface Timing {
  /** The protocol period T: in each one a member is pinged; three without an ack make it offline. */
  readonly periodMs: number;
  /** Time for a direct ack; after it other members are asked to ping (ping-req). */
  readonly pingTimeoutMs: number;
}

/** A node joins alone when it has contacted others and none has answered for this time. */
export const JOIN_MS = 3000;

/** `lan` is the default; `wan` is for round trips of up to 1 s; `local` for nodes on one machine. */
export const TIMING_PRESETS = {
  lan: { periodMs: 1000, pingTimeoutMs: 300 },
  wan: { periodMs: 5000, pingTimeoutMs: 2000 },
  local: { periodMs: 300, pingTimeoutMs: 100 },
} as const satisfies Readonly<Record<string, Timing>>;

export type TimingPreset = keyof typeof TIMING_PRESETS;

const PERIOD_MS_MIN = 100;
const PERIOD_MS_MAX = 60_000;
const PING_TIMEOUT_MS_MIN = 20;

/** @returns a sentence that says what is wrong and what would be right; undefined if all is right */
export function timingFault(timing: Timing): string | undefined {
  const { periodMs, pingTimeoutMs } = timing;
  if (!Number.isInteger(periodMs) || periodMs < PERIOD_MS_MIN || periodMs > PERIOD_MS_MAX) {
    return `the period must be ${PERIOD_MS_MIN} to ${PERIOD_MS_MAX} ms, not ${periodMs}`;
  }
  if (!Number.isInteger(pingTimeoutMs) || pingTimeoutMs < PING_TIMEOUT_MS_MIN) {
    return `the ping timeout must be at least ${PING_TIMEOUT_MS_MIN} ms, not ${pingTimeoutMs}`;
  }
  // A helper waits one timeout of its own before it sends a nack, which must arrive within T.
  if (2 * pingTimeoutMs >= periodMs) {
    return `twice the ping timeout (${pingTimeoutMs} ms) must be less than the period (${periodMs} ms)`;
  }
  return undefined;
}

/** Periods without an ack in a row until a member is offline; the first one makes it suspect. */
export const STRIKES_TO_OFFLINE = 3;

/** Weight of a period in which the helpers sent no nack either: the fault may be this node's. */
export const STRIKE_WITHOUT_NACK = 0.5;

/** More queued updates than fit into one datagram: many nodes join at once. */
export const CROWD = 32;

/**
 * How often one update is sent. SWIM's lambda log N, with a lambda that reaches all members without
 * memberlist's TCP exchange. In a crowd a third of it is enough: a member that misses an update sees
 * it by the table hash, and pulls.
 */
export function transmitLimit(members: number, queued: number): number {
  const rounds = Math.ceil(Math.log2(members + 2));
  return queued > CROWD ? rounds : 3 * rounds;
}

/** Time after which a node that only heard of a suspicion declares the member offline itself. */
export function suspicionTimeoutMs(members: number, periodMs: number): number {
  return 2 * (4 + Math.ceil(Math.log10(Math.max(members, 1)))) * periodMs;
}
