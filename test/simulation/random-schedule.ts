// Random faults from a seed: kills, restarts, moves, leaves, stalls, partitions, one-way cuts, loss,
// delay, duplication, name conflicts, replays. Then the faults end, and within a bounded time the
// cluster must converge and stay so. The simulator's invariants hold throughout.

import assert from 'node:assert/strict';
import { FAULT_MS_MAX, FaultSchedule } from '../support/fault-schedule.ts';
import { Simulator, startCluster } from '../support/simulator.ts';

const FAULTS_MS = 90_000;
/** From the end of the last fault until all nodes agree. */
const CONVERGENCE_MS_MAX = 60_000;
const AFTERMATH_MS = 10_000;
const QUIET_MS = 30_000;

class Schedule {
  readonly sim: Simulator;
  readonly #faults: FaultSchedule;

  constructor(seed: number) {
    this.sim = new Simulator(seed);
    this.#faults = new FaultSchedule(this.sim);
  }

  run(): void {
    const { sim } = this;
    const faults = this.#faults;
    const size = 2 + faults.below(11);
    startCluster(sim, size, 1 + faults.below(Math.min(size, 3)));
    sim.runFor(faults.below(5000));
    const end = sim.now + FAULTS_MS;
    while (sim.now < end) {
      faults.fault();
      sim.runFor(faults.below(8000));
    }
    sim.runUntil(() => faults.isOver, FAULT_MS_MAX);
    faults.end();
    const took = sim.runUntil(() => sim.isConverged(), CONVERGENCE_MS_MAX);
    assert.ok(took !== undefined, `not converged: ${sim.describeMembership()}`);
    // Periods that began during the faults end, and their suspicions are refuted.
    sim.runFor(AFTERMATH_MS);
    this.#assertQuiet();
  }

  #assertQuiet(): void {
    const { sim } = this;
    const events: string[] = [];
    sim.onEvent = (node, kind, name) => events.push(`${node.name} reports ${kind} ${name}`);
    sim.runFor(QUIET_MS);
    assert.deepEqual(events, [], 'an event without a fault');
    assert.ok(sim.isConverged());
  }
}

/** @throws AssertionError that names the seed */
export function runRandomSchedule(seed: number): void {
  const schedule = new Schedule(seed);
  try {
    schedule.run();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`seed ${seed} at ${(schedule.sim.now / 1000).toFixed(1)} s: ${reason}`, {
      cause: error,
    });
  }
}

/** The same run with a transcript of every event, for a seed that fails. */
export function transcriptOf(seed: number): readonly string[] {
  const schedule = new Schedule(seed);
  schedule.sim.keepsTranscript = true;
  try {
    schedule.run();
  } catch (error) {
    schedule.sim.lines.push(String(error));
  }
  return schedule.sim.lines;
}
