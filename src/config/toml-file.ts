// Reads a TOML file into settings by option name, each with its file:line, and its [[listener]]
// tables. An unknown key is a problem, with the nearest known one as a suggestion. Knows nothing of
// what the values mean.

import { parse, TomlError } from 'smol-toml';
import { fileFault } from '../shared/file-fault.ts';
import { nearest } from './suggest.ts';

/** The one key whose value is a list of tables. */
const TABLES = 'listener';

export interface TomlSetting {
  readonly text: string;
  /** file:line */
  readonly place: string;
}

export interface TomlTable {
  readonly settings: ReadonlyMap<string, TomlSetting>;
  /** file:line of its head */
  readonly place: string;
}

export interface TomlFile {
  readonly settings: ReadonlyMap<string, TomlSetting>;
  readonly tables: readonly TomlTable[];
  readonly problems: readonly string[];
}

interface Reading {
  readonly path: string;
  readonly lines: readonly string[];
  readonly problems: string[];
}

export function readTomlFile(
  path: string,
  knownKeys: readonly string[],
  tableKeys: readonly string[],
  readFile: (path: string) => string,
): TomlFile {
  const problems: string[] = [];
  try {
    const source = readFile(path);
    const reading = { path, lines: source.split('\n'), problems };
    const { [TABLES]: tables, ...rest } = parse(source);
    return {
      settings: readSettings(reading, rest, knownKeys, 0),
      tables: tables === undefined ? [] : readTables(reading, tables, tableKeys),
      problems,
    };
  } catch (error) {
    problems.push(explain(path, error));
    return { settings: new Map(), tables: [], problems };
  }
}

function readTables(reading: Reading, value: unknown, knownKeys: readonly string[]): TomlTable[] {
  const { path, lines, problems } = reading;
  if (!Array.isArray(value)) {
    problems.push(`${path}:${lineOf(lines, TABLES, 0)}: write [[${TABLES}]], in double brackets`);
    return [];
  }
  let line = 0;
  return value.map((table: Record<string, unknown>) => {
    line = lineOf(lines, TABLES, line) || line;
    return {
      settings: readSettings(reading, table, knownKeys, line),
      place: `${path}:${line}`,
    };
  });
}

/** @param after the line behind which the keys stand */
function readSettings(
  { path, lines, problems }: Reading,
  values: Readonly<Record<string, unknown>>,
  knownKeys: readonly string[],
  after: number,
): Map<string, TomlSetting> {
  const settings = new Map<string, TomlSetting>();
  for (const [key, value] of Object.entries(values)) {
    const place = `${path}:${lineOf(lines, key, after)}`;
    const text = textOf(value);
    if (!knownKeys.includes(key)) {
      const near = nearest(key, knownKeys);
      const hint = near === undefined ? '' : `; did you mean '${near}'?`;
      problems.push(`${place}: unknown key '${key}'${hint}`);
    } else if (text === undefined) {
      problems.push(`${place}: '${key}' has to be a text, a number, true or false, or a list`);
    } else {
      settings.set(key, { text, place });
    }
  }
  return settings;
}

function explain(path: string, error: unknown): string {
  if (error instanceof TomlError) {
    // The message goes on with an excerpt of the file over several lines.
    const [first = ''] = error.message.split('\n');
    return `${path}:${error.line}: ${first.replace(/^Invalid TOML document: /, '')}`;
  }
  return `-config=${path}: ${fileFault(error)}`;
}

/** A list is written as its items between commas, as on the command line. */
function textOf(value: unknown): string | undefined {
  if (Array.isArray(value)) {
    const items = value.map(textOf);
    return items.includes(undefined) ? undefined : items.join(',');
  }
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') {
    return String(value);
  }
  return undefined;
}

/**
 * The parser doesn't tell where a key stands; keys are plain words, so a search finds it.
 * @returns counted from 1; 0 where it is not found
 */
function lineOf(lines: readonly string[], key: string, after: number): number {
  const escaped = key.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const pattern = new RegExp(`^\\s*\\[*\\s*["']?${escaped}["']?\\s*[=.\\]]`);
  return lines.findIndex((line, index) => index >= after && pattern.test(line)) + 1;
}
