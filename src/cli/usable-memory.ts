// The memory that this process may use: the least of V8's heap limit, the machine's memory, and what a
// container or a unit's MemoryMax leaves it. The default of -memory-limit is half of it.

import { totalmem } from 'node:os';
import { getHeapStatistics } from 'node:v8';

/** @returns bytes */
export function usableMemory(): number {
  // 0 or more than the machine has where nothing constrains the process.
  const constrained = process.constrainedMemory() || Number.POSITIVE_INFINITY;
  return Math.min(getHeapStatistics().heap_size_limit, totalmem(), constrained);
}
