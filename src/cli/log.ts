// Writes log events, one line each, without delay. The text format reads like Go's log package, which
// operators of such boxes know; logfmt and JSON are for machines. An event that repeats too often is
// counted instead of written, so that no client can fill a disk through the log.
// Invariant: a record is one line and can't colour or move the terminal, whatever its fields contain.

import { Chalk } from 'chalk';
import type { LogFields, Logger, LogLevel } from '../shared/logger.ts';
import { JOURNAL_PREFIX } from './service-manager.ts';

export type LogForm = 'text' | 'logfmt' | 'json';

export interface LogSettings {
  readonly form: LogForm;
  readonly level: LogLevel;
  readonly time: 'local' | 'iso';
  readonly colour: boolean;
  /** Begin each line with its priority, for the journal. */
  readonly priorities: boolean;
  /** @returns false if the output takes no more now, and the line is lost */
  write(line: string): boolean;
  /** Wall clock in milliseconds. */
  now(): number;
}

/** Lines of one event within one window. Further ones are counted. */
export const REPEATS_MAX = 50;
/** Of these, lines about one client address: a flood from it must not hide the others. */
export const REPEATS_PER_SOURCE_MAX = 25;
export const REPEAT_WINDOW_MS = 10_000;
/** Event names are few and constant; this bounds the table if one ever contained outside text. */
const EVENTS_MAX = 1000;
/** Client identifiers and topics may have 64 KiB. Longer fields are cut. */
const FIELD_CHARS_MAX = 512;

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** How often one event occurred within the current window. */
interface Repeat {
  readonly level: LogLevel;
  readonly event: string;
  windowStart: number;
  lines: number;
  /** Lines of each client address, among the lines that were written. */
  readonly bySource: Map<string, number>;
  omitted: number;
}

export class LogSink implements Logger {
  readonly settings: LogSettings;
  readonly #repeats = new Map<string, Repeat>();
  /** Lines that the output did not take since the last one that it took. */
  #lost = 0;
  readonly #format: (level: LogLevel, event: string, fields: LogFields, at: Date) => string;
  level: LogLevel;

  constructor(settings: LogSettings) {
    this.settings = settings;
    this.level = settings.level;
    const { form, time, colour } = settings;
    if (form === 'json') this.#format = formatJson;
    else if (form === 'logfmt') this.#format = formatLogfmt;
    else this.#format = textFormatter(time, colour);
  }

  debug(event: string, fields: LogFields = {}): void {
    this.#log('debug', event, fields);
  }

  info(event: string, fields: LogFields = {}): void {
    this.#log('info', event, fields);
  }

  warn(event: string, fields: LogFields = {}): void {
    this.#log('warn', event, fields);
  }

  error(event: string, fields: LogFields = {}): void {
    this.#log('error', event, fields);
  }

  /** Writes the counts of events that have stopped repeating. Call it every REPEAT_WINDOW_MS or so. */
  flushCounts(): void {
    const nowMs = this.settings.now();
    for (const [key, repeat] of this.#repeats) {
      if (!isOver(repeat, nowMs)) continue;
      this.#repeats.delete(key);
      const { level, event, omitted } = repeat;
      if (omitted > 0) this.#write(level, event, { leftOut: omitted }, nowMs);
    }
  }

  #log(level: LogLevel, event: string, fields: LogFields): void {
    if (RANK[level] < RANK[this.level]) return;
    const nowMs = this.settings.now();
    const key = `${level} ${event}`;
    const known = this.#repeats.get(key);
    const repeat = known ?? newRepeat(level, event, nowMs);
    if (known === undefined) {
      if (this.#repeats.size >= EVENTS_MAX) this.#repeats.clear();
      this.#repeats.set(key, repeat);
    }
    let shown = fields;
    if (isOver(repeat, nowMs)) {
      if (repeat.omitted > 0) shown = { ...fields, leftOut: repeat.omitted };
      Object.assign(repeat, { windowStart: nowMs, lines: 0, omitted: 0 });
      repeat.bySource.clear();
    }
    if (isWithinLimits(repeat, fields.from)) this.#write(level, event, shown, nowMs);
    else repeat.omitted += 1;
  }

  #write(level: LogLevel, event: string, fields: LogFields, nowMs: number): void {
    if (this.#lost > 0) {
      const lines = this.#lost;
      const isTaken = this.#writeLine(
        'warn',
        'log lines lost: the output took no more',
        { lines },
        nowMs,
      );
      if (isTaken) this.#lost = 0;
    }
    if (this.#lost > 0 || !this.#writeLine(level, event, fields, nowMs)) this.#lost += 1;
  }

  #writeLine(level: LogLevel, event: string, fields: LogFields, nowMs: number): boolean {
    const prefix = this.settings.priorities ? JOURNAL_PREFIX[level] : '';
    return this.settings.write(`${prefix}${this.#format(level, event, fields, new Date(nowMs))}\n`);
  }
}

function newRepeat(level: LogLevel, event: string, nowMs: number): Repeat {
  return { level, event, windowStart: nowMs, lines: 0, bySource: new Map(), omitted: 0 };
}

/** Counts a line that may be written. */
function isWithinLimits(repeat: Repeat, source: LogFields[string]): boolean {
  if (repeat.lines >= REPEATS_MAX) return false;
  if (typeof source === 'string') {
    const lines = repeat.bySource.get(source) ?? 0;
    if (lines >= REPEATS_PER_SOURCE_MAX) return false;
    repeat.bySource.set(source, lines + 1);
  }
  repeat.lines += 1;
  return true;
}

/** True also for a window in the future: the wall clock may be set back. */
function isOver(repeat: Repeat, nowMs: number): boolean {
  return Math.abs(nowMs - repeat.windowStart) >= REPEAT_WINDOW_MS;
}

/** NO_COLOR and FORCE_COLOR as on no-color.org and force-color.org. */
export function wantsColour(
  environment: Readonly<Record<string, string | undefined>>,
  isTerminal: boolean,
): boolean {
  const { NO_COLOR, FORCE_COLOR, TERM } = environment;
  if (NO_COLOR !== undefined && NO_COLOR !== '') return false;
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== '') return !/^(0|false)$/.test(FORCE_COLOR);
  return isTerminal && TERM !== 'dumb';
}

function textFormatter(time: 'local' | 'iso', colour: boolean) {
  const chalk = new Chalk({ level: colour ? 1 : 0 });
  const labels: Readonly<Record<LogLevel, string>> = {
    debug: `${chalk.gray('debug')} `,
    info: '',
    warn: `${chalk.yellow('WARNING')} `,
    error: `${chalk.red('ERROR')} `,
  };
  return (level: LogLevel, event: string, fields: LogFields, at: Date): string => {
    const stamp = chalk.gray(time === 'iso' ? at.toISOString() : goTime(at));
    const pairs = definedFields(fields).map(
      ([key, value]) => ` ${chalk.gray(`${key}=`)}${quoted(String(value))}`,
    );
    return `${stamp} ${labels[level]}${plain(event)}${pairs.join('')}`;
  };
}

function formatLogfmt(level: LogLevel, event: string, fields: LogFields, at: Date): string {
  const pairs = definedFields(fields).map(([key, value]) => ` ${key}=${quoted(String(value))}`);
  return `time=${at.toISOString()} level=${level} event=${quoted(event)}${pairs.join('')}`;
}

function formatJson(level: LogLevel, event: string, fields: LogFields, at: Date): string {
  const shown = Object.fromEntries(definedFields(fields));
  return escapeControls(JSON.stringify({ time: at.toISOString(), level, event, ...shown }));
}

function definedFields(fields: LogFields): [string, string | number | boolean][] {
  return Object.entries(fields).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, typeof value === 'string' ? shortened(value) : value]],
  );
}

function shortened(text: string): string {
  return text.length > FIELD_CHARS_MAX ? `${text.slice(0, FIELD_CHARS_MAX)}…` : text;
}

/** `2026/11/20 14:48:27` in local time. */
export function goTime(at: Date): string {
  const two = (number: number): string => String(number).padStart(2, '0');
  const day = `${at.getFullYear()}/${two(at.getMonth() + 1)}/${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

function quoted(text: string): string {
  return /^[^\s"=\p{C}]+$/u.test(text) ? text : escapeControls(JSON.stringify(text));
}

function plain(text: string): string {
  return /\p{Cc}/u.test(text) ? escapeControls(text) : text;
}

/** Escapes what JSON.stringify leaves as it is: controls from U+007F on, and invisible characters. */
export function escapeControls(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (found) =>
    Array.from(
      { length: found.length },
      (_, i) => `\\u${found.charCodeAt(i).toString(16).padStart(4, '0')}`,
    ).join(''),
  );
}
