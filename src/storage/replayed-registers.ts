// Rebuilds the versions of a replicated map from records. Later records win.

import type { RegisterRecord, StoredRegisters } from '../replica/register-store.ts';
import type { LogRange } from '../replica/repair-port.ts';

export class ReplayedRegisters implements StoredRegisters {
  readonly #registers = new Map<string, RegisterRecord>();
  readonly #known: LogRange[] = [];

  get registers(): Iterable<RegisterRecord> {
    return this.#registers.values();
  }

  get known(): Iterable<LogRange> {
    return this.#known;
  }

  save(record: RegisterRecord): void {
    this.#registers.set(record.key, record);
  }

  remove(key: string): void {
    this.#registers.delete(key);
  }

  saveKnown(range: LogRange): void {
    this.#known.push(range);
  }
}
