// How many descriptors a process may have here. Every connection takes one at each end.

import { readFileSync } from 'node:fs';

const WANTED = 65_536;
/** What a process has open besides the connections that are counted. */
const OTHERS = 64;

/** A shell's words that run `command` with as many descriptors as are wanted, or as are allowed. */
export function withDescriptors(command: readonly string[]): [string, ...string[]] {
  const raise = `ulimit -n ${WANTED} 2>/dev/null || ulimit -n $(ulimit -Hn); exec "$@"`;
  return ['sh', '-c', raise, 'sh', ...command];
}

/** The connections that one process can have. */
export function connectionsMax(pid: number): number {
  const line = /Max open files\s+(\S+)/.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'));
  return line?.[1] === 'unlimited' ? WANTED : Number(line?.[1] ?? 1024) - OTHERS;
}
