// What was changed through the API, by whom and from where: a line in the log for each change, and the last
// ones in memory. Invariant: bounded.

import type { Logger } from '../shared/logger.ts';
import type { NodeRequest } from '../shared/node-request.ts';
import type { Caller, Route } from './route.ts';
import { array, type JsonSchema, number, object, oneOf, type Static, text } from './schema.ts';

const ENTRIES_MAX = 500;
const PATH_CHARACTERS_MAX = 256;
const VALUE_CHARACTERS_MAX = 128;

export const auditEntrySchema = object({
  at: number('ms since 1970'),
  by: oneOf(['control', 'http', 'node'], 'The way it came: control socket, TCP, another node'),
  from: text({ help: 'Address, or name of the node; empty on the control socket' }),
  method: text(),
  path: text(),
  change: text({ help: 'What was asked for; secrets and payloads are stars' }),
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

  record(
    { kind: by, from }: Caller,
    { method, path, change }: Pick<AuditEntry, 'method' | 'path' | 'change'>,
    status: number,
  ): void {
    const shown = path.slice(0, PATH_CHARACTERS_MAX);
    this.#entries.push({ at: Date.now(), by, from, method, path: shown, change, status });
    if (this.#entries.length > ENTRIES_MAX) this.#entries.shift();
    // The node that passes a request on has logged who asked.
    if (by === 'node') return;
    const event = status < 400 ? 'changed over the API' : 'change over the API refused';
    this.#log.info(event, { by, from, method, path: shown, change, status });
  }
}

/** The query and the body of a request in one line, `filter=home/# node=box2`. Bounded. */
export function changeOf(
  { query: fields, body: schema }: Pick<Route, 'query' | 'body'>,
  { query, body }: Pick<NodeRequest, 'query' | 'body'>,
): string {
  const bodyFields = (schema?.json.properties ?? {}) as Readonly<Record<string, JsonSchema>>;
  const isObject = typeof body === 'object' && body !== null;
  const given = [
    ...Object.entries(query).filter(([name]) => Object.hasOwn(fields, name)),
    ...(isObject ? Object.entries(body) : []).filter(([name]) => Object.hasOwn(bodyFields, name)),
  ];
  const words = given.map(([name, value]) => {
    if (bodyFields[name]?.writeOnly === true) return `${name}=***`;
    return `${name}=${(typeof value === 'string' ? value : (JSON.stringify(value) ?? '')).slice(0, VALUE_CHARACTERS_MAX)}`;
  });
  return words.join(' ');
}
