// The descriptor limit of a process. Each connection takes one descriptor at each end.

import { readFileSync } from 'node:fs';

const WANTED = 65_536;
/** Descriptors that a process has open besides its connections, and those that a node keeps free for other uses. */
const OTHERS = 192;

/** @returns a shell command that runs `command` with the wanted, or else the allowed, descriptors */
export function withDescriptors(command: readonly string[]): [string, ...string[]] {
  const raise = `ulimit -n ${WANTED} 2>/dev/null || ulimit -n $(ulimit -Hn); exec "$@"`;
  return ['sh', '-c', raise, 'sh', ...command];
}

/** @returns how many connections one process can have */
export function connectionsMax(pid: number): number {
  const line = /Max open files\s+(\S+)/.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'));
  return line?.[1] === 'unlimited' ? WANTED : Number(line?.[1] ?? 1024) - OTHERS;
}
