// Keeps a replicated map beyond the process. A store takes versions, not values: the owner of the values
// stores those.

import type { Stamp } from '../shared/stamp.ts';
import type { LogRange } from './repair-port.ts';

export interface RegisterRecord extends Stamp {
  readonly key: string;
  /** False for a cleared key. */
  readonly hasValue: boolean;
}

/** Takes the state of a map, for a snapshot. */
export interface RegisterWriter {
  saveRegister(register: RegisterRecord): void;
  /** Of every write in the range, this one or a newer one of its key was recorded. */
  saveKnown(range: LogRange): void;
}

export interface RegisterStore extends RegisterWriter {
  removeRegister(key: string): void;
}

/** What a store found when it opened. */
export interface StoredRegisters {
  readonly registers: Iterable<RegisterRecord>;
  readonly known: Iterable<LogRange>;
}
