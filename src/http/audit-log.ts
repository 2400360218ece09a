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

/** The query and the body of a request, and what the route names of its answer, in one line: `filter=home/# node=box2`. Bounded. */
export function changeOf(
  { query: fields, body: schema, audited = [] }: Pick<Route, 'query' | 'body' | 'audited'>,
  { query, body }: Pick<NodeRequest, 'query' | 'body'>,
  answer: unknown,
): string {
  const bodyFields = (schema?.json.properties ?? {}) as Readonly<Record<string, JsonSchema>>;
  const given = [
    ...entriesOf(query).filter(([name]) => Object.hasOwn(fields, name)),
    ...entriesOf(body).filter(([name]) => Object.hasOwn(bodyFields, name)),
  ].map(([name, value]) => (bodyFields[name]?.writeOnly === true ? [name, '***'] : [name, value]));
  const answered = entriesOf(answer).filter(([name]) => audited.includes(name));
  return [...given, ...answered].map(([name, value]) => `${name}=${shown(value)}`).join(' ');
}

function entriesOf(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}

function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  return text.slice(0, VALUE_CHARACTERS_MAX);
}
