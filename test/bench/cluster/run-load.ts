// Runs a load generator on its own core; returns its result and the processor time that the watched
// processes used meanwhile.

import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { LoadMessage, LoadPlan, LoadResult } from './plan.ts';

export const BROKER_CORE = 0;
export const LOAD_CORE = 1;

export interface Measured extends LoadResult {
  /** Processor seconds of each watched process in the measured interval. */
  readonly cpuSeconds: readonly number[];
}

/** @param via command prefix that runs the generator elsewhere */
export function runLoad(
  plan: LoadPlan,
  watchedPids: readonly number[] = [],
  via: readonly string[] = [],
): Promise<Measured> {
  const file = fileURLToPath(new URL('./generator.ts', import.meta.url));
  const pinned = ['taskset', '-c', String(LOAD_CORE), process.execPath, '--import', 'tsx', file];
  const [command = '', ...args] = [...via, ...pinned];
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  child.send(plan);
  return new Promise((resolve, reject) => {
    let before: number[] = [];
    let cpuSeconds: number[] = [];
    child.on('message', (message: LoadMessage) => {
      if (message.kind === 'measuring') before = watchedPids.map(cpuSecondsOf);
      else if (message.kind === 'measured') {
        cpuSeconds = watchedPids.map((pid, index) => cpuSecondsOf(pid) - (before[index] ?? 0));
      } else resolve({ ...message.result, cpuSeconds });
    });
    child.on('error', reject);
    child.on('exit', (code) => {
      if (code !== 0) reject(new Error(`the load generator ended with ${code}`));
    });
  });
}

/**
 * User and system time that the threads of the process have used. /proc/PID/stat counts hundredths of a
 * second, which is too coarse for a process that is mostly idle.
 */
export function cpuSecondsOf(pid: number): number {
  const folder = `/proc/${pid}/task`;
  const nanoseconds = readdirSync(folder).map((thread) =>
    Number(readFileSync(`${folder}/${thread}/schedstat`, 'utf8').split(' ')[0]),
  );
  return nanoseconds.reduce((sum, one) => sum + one, 0) / 1e9;
}
