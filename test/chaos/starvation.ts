// How long the machine lets the processes of a run wait for a processor, from /proc: what a client waits because of
// that is not the broker's doing, so that a busy machine breaks no rule.

import { readdirSync, readFileSync } from 'node:fs';
import type { History } from './history.ts';

/** Shorter waits are not worth an event. */
const WORTH_MS = 20;

export class StarvationMeter {
  readonly #history: History;
  /** Of each process at the last measurement: its pid, and its waits in ms. */
  readonly #before = new Map<string, { readonly pid: number; readonly ms: number }>();
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
      const waited = waitedMs(pid);
      const before = this.#before.get(name);
      this.#before.set(name, { pid, ms: waited });
      const ms = before?.pid === pid ? waited - before.ms : 0;
      if (ms >= WORTH_MS) this.#history.add({ kind: 'starved', process: name, ms, since });
    }
  }
}

/** Of all threads of the process, since they began. Source: Linux, Documentation/scheduler/sched-stats.rst. */
function waitedMs(pid: number): number {
  let nanoseconds = 0;
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const [, waiting] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
      nanoseconds += Number(waiting);
    }
  } catch {
    // The process, or a thread of it, has just ended.
  }
  return Math.round(nanoseconds / 1e6);
}
