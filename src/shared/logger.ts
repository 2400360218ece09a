// The log as the parts of the node see it. The command line chooses the sink with its format, colour
// and rate; no part writes to a stream itself.

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Values printed after the event as key=value. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Logger {
  /** @param event a short lower-case phrase that stays the same for the same event */
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

const ignore = (): void => undefined;

/** Discards everything; for tests. */
export const silentLogger: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };
