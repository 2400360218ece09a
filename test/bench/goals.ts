// Goals of the project, as ratios to another broker in the same run or as plain figures, and their judgement
// beside a measured figure.

export interface Goal {
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** Goals beside other brokers, as ratios of rates. */
export interface GoalsBeside {
  readonly mosquitto?: Goal;
  readonly flashmq?: Goal;
}

export const atLeast = (ratio: number): Goal => ({ atLeast: ratio });
export const atMost = (ratio: number): Goal => ({ atMost: ratio });

/** For p50 and p99 at 20,000 messages a second, in times of mosquitto's. */
export const LATENCY_GOALS = { p50: atMost(1.1), p99: atMost(1) } as const;

/** @returns the goal and whether the figure reaches it, as a cell of a table */
export function judged(goal: Goal | undefined, measured: number): string {
  if (goal === undefined) return '-';
  const limit = goal.atLeast ?? goal.atMost ?? Number.NaN;
  const words = goal.atLeast === undefined ? `at most ${limit}` : `${limit}`;
  if (!Number.isFinite(measured)) return `${words}: not measured`;
  const isReached = goal.atLeast === undefined ? measured <= limit : measured >= limit;
  return `${words}: ${isReached ? 'reached' : '**not reached**'}`;
}
