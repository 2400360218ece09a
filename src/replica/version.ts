// The version of a register: which of two writes is the newer one is decided the same way on every
// node (last writer wins; Lamport 1978: time first, then the writer, so that the order is total).

import type { Stamp } from '../shared/stamp.ts';

export type Version = Pick<Stamp, 'time' | 'writer'>;

export function isNewer(a: Version, b: Version): boolean {
  return a.time === b.time ? a.writer > b.writer : a.time > b.time;
}
