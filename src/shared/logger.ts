// What the parts need in order to tell a person something. The sink (colour, format, rate) is
// chosen by the command line; a core never writes to a stream itself.

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

/** Discards everything; for tests and for parts used as a library. */
export const silentLogger: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };
