// What was changed through the API, by whom and from where: a line in the log for each change, and the last
// ones in memory. Invariant: bounded.

import type { Logger } from '../shared/logger.ts';
import type { Caller } from './route.ts';
import { array, number, object, oneOf, type Static, text } from './schema.ts';

const ENTRIES_MAX = 500;
const PATH_CHARACTERS_MAX = 256;

export const auditEntrySchema = object({
  at: number('ms since 1970'),
  by: oneOf(['control', 'http', 'node'], 'The way it came: control socket, TCP, another node'),
  from: text({ help: 'Address, or name of the node; empty on the control socket' }),
  method: text(),
  path: text(),
  status: number('Of the response'),
});
export const auditSchema = object({
  entries: array(auditEntrySchema, ENTRIES_MAX, 'The latest last'),
});

export type AuditEntry = Static<typeof auditEntrySchema>;

export class AuditLog {
  readonly #log: Logger;
  readonly #entries: AuditEntry[] = [];

  constructor(log: Logger) {
    this.#log = log;
  }

  get entries(): readonly AuditEntry[] {
    return this.#entries;
  }

  record({ kind: by, from }: Caller, method: string, path: string, status: number): void {
    const shown = path.slice(0, PATH_CHARACTERS_MAX);
    this.#entries.push({ at: Date.now(), by, from, method, path: shown, status });
    if (this.#entries.length > ENTRIES_MAX) this.#entries.shift();
    // The node that passes a request on has logged who asked.
    if (by === 'node') return;
    const event = status < 400 ? 'changed over the API' : 'change over the API refused';
    this.#log.info(event, { by, from, method, path: shown, status });
  }
}
