// How long the machine lets the processes of a run wait for a processor, from /proc: what a client waits because of
// that is not the broker's doing, so that a busy machine breaks no rule.

import { readdirSync, readFileSync } from 'node:fs';
import type { History } from './history.ts';

/** Shorter waits are not worth an event. */
const WORTH_MS = 20;

export class StarvationMeter {
  readonly #history: History;
  /** Of each process at the last measurement: its pid, and its waits. */
  readonly #before = new Map<string, { readonly pid: number; readonly waits: Waits }>();
  #measuredAt: number;

  constructor(history: History) {
    this.#history = history;
    this.#measuredAt = history.now;
  }

  /** @param processes pids by name; those of processes that have ended count as none */
  measure(processes: ReadonlyMap<string, number>): void {
    const since = this.#measuredAt;
    this.#measuredAt = this.#history.now;
    for (const [name, pid] of processes) {
      const waits = waitsOf(pid);
      const before = this.#before.get(name);
      this.#before.set(name, { pid, waits });
      if (before?.pid !== pid) continue;
      const ms = waits.allMs - before.waits.allMs;
      const loopMs = waits.loopMs - before.waits.loopMs;
      if (ms >= WORTH_MS) this.#history.add({ kind: 'starved', process: name, ms, loopMs, since });
    }
  }
}

/** Since the threads of a process began, ms. */
interface Waits {
  /** Of all of them together. */
  readonly allMs: number;
  /** Of the one with the event loop, which reads what peers send. */
  readonly loopMs: number;
}

/** Source: Linux, Documentation/scheduler/sched-stats.rst. */
function waitsOf(pid: number): Waits {
  let allMs = 0;
  let loopMs = 0;
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const [, waiting] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
      const ms = Math.round(Number(waiting) / 1e6);
      allMs += ms;
      if (Number(thread) === pid) loopMs = ms;
    }
  } catch {
    // The process, or a thread of it, has just ended.
  }
  return { allMs, loopMs };
}
