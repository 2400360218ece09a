// File names in the data folder. A generation consists of a snapshot and the log that follows it; the
// first generation has no snapshot.

import type { FileKind } from './file-format.ts';

export const TEMPORARY_SUFFIX = '.tmp';
export const DAMAGED_PREFIX = 'damaged-';
const NAME = /^shoal-(\d{8})\.(log|snapshot)$/;

export interface DataFileName {
  readonly name: string;
  readonly kind: FileKind;
  readonly generation: number;
}

export function fileName(kind: FileKind, generation: number): string {
  return `shoal-${String(generation).padStart(8, '0')}.${kind}`;
}

/** The data files among `names`, ordered by generation, each snapshot before its log. */
export function dataFiles(names: readonly string[]): DataFileName[] {
  const found: DataFileName[] = [];
  for (const name of names) {
    const [, digits, kind] = NAME.exec(name) ?? [];
    if (kind !== 'log' && kind !== 'snapshot') continue;
    found.push({ name, kind, generation: Number(digits) });
  }
  return found.sort((a, b) => a.generation - b.generation || (a.kind === 'snapshot' ? -1 : 1));
}
