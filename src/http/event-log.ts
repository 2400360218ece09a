// The log as a source of events: passes every line on to the log itself, keeps the last ones, and gives
// them to streams. Debug lines are no events. Invariant: bounded; a line costs no more than its entry.

import type { LogFields, Logger, LogLevel } from '../shared/logger.ts';

const KEPT_MAX = 200;

export interface LogEvent {
  /** ms since 1970. */
  readonly at: number;
  readonly level: LogLevel;
  readonly event: string;
  readonly fields: LogFields;
}

export class EventLog implements Logger {
  readonly #log: Logger;
  readonly #kept: LogEvent[] = [];
  readonly #listeners = new Set<(event: LogEvent) => void>();

  constructor(log: Logger) {
    this.#log = log;
  }

  debug(event: string, fields?: LogFields): void {
    this.#log.debug(event, fields);
  }

  info(event: string, fields?: LogFields): void {
    this.#log.info(event, fields);
    this.#keep('info', event, fields);
  }

  warn(event: string, fields?: LogFields): void {
    this.#log.warn(event, fields);
    this.#keep('warn', event, fields);
  }

  error(event: string, fields?: LogFields): void {
    this.#log.error(event, fields);
    this.#keep('error', event, fields);
  }

  /** The last events, the latest last. */
  get kept(): readonly LogEvent[] {
    return this.#kept;
  }

  /** @returns ends it */
  listen(listener: (event: LogEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #keep(level: LogLevel, event: string, fields: LogFields = {}): void {
    const entry = { at: Date.now(), level, event, fields };
    this.#kept.push(entry);
    if (this.#kept.length > KEPT_MAX) this.#kept.shift();
    for (const listener of this.#listeners) listener(entry);
  }
}
