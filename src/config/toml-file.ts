// Reads a TOML file: the settings by option name, each with its file:line, and the [[listener]] and
// [[bridge]] tables. Reports an unknown key with the closest known key as a suggestion. Must not know what the
// values mean.

import { dirname } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { describeSystemError } from '../shared/describe-system-error.ts';
import type { RawText } from './option.ts';
import { nearest } from './suggest.ts';

/** The keys whose values are arrays of tables. */
const TABLES = ['listener', 'bridge'] as const;
type TableName = (typeof TABLES)[number];
type ByTable<T> = Readonly<Record<TableName, T>>;

function doubleBrackets(table: string): string {
  return `write [[${table}]], in double brackets`;
}

export interface TomlSetting extends Required<RawText> {
  /** file:line */
  readonly place: string;
}

export interface TomlTable {
  readonly settings: ReadonlyMap<string, TomlSetting>;
  /** file:line of the table's header */
  readonly place: string;
}

export interface TomlFile {
  readonly settings: ReadonlyMap<string, TomlSetting>;
  readonly tables: ByTable<readonly TomlTable[]>;
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
  tableKeys: ByTable<readonly string[]>,
  readFile: (path: string) => string,
): TomlFile {
  const problems: string[] = [];
  let source = '';
  try {
    source = readFile(path);
    const reading = { path, lines: source.split('\n'), problems };
    const { listener = [], bridge = [], ...rest } = parse(source);
    return {
      settings: readSettings(reading, rest, knownKeys, 0),
      tables: {
        listener: readTables(reading, 'listener', listener, tableKeys.listener, knownKeys),
        bridge: readTables(reading, 'bridge', bridge, tableKeys.bridge, knownKeys),
      },
      problems,
    };
  } catch (error) {
    problems.push(explain(path, source, error));
    return { settings: new Map(), tables: { listener: [], bridge: [] }, problems };
  }
}

function readTables(
  reading: Reading,
  name: TableName,
  value: unknown,
  tableKeys: readonly string[],
  keysAbove: readonly string[],
): TomlTable[] {
  const { path, lines, problems } = reading;
  if (!Array.isArray(value)) {
    problems.push(`${path}:${lineOf(lines, name, 0)}: ${doubleBrackets(name)}`);
    return [];
  }
  let line = 0;
  return value.map((table: Record<string, unknown>) => {
    line = lineOf(lines, name, line) || line;
    return {
      settings: readSettings(reading, table, tableKeys, line, keysAbove, name),
      place: `${path}:${line}`,
    };
  });
}

/** @param after the line of the table's header; the keys follow it. 0 for the top of the file */
function readSettings(
  { path, lines, problems }: Reading,
  values: Readonly<Record<string, unknown>>,
  knownKeys: readonly string[],
  after: number,
  keysAbove: readonly string[] = [],
  table = '',
): Map<string, TomlSetting> {
  const settings = new Map<string, TomlSetting>();
  for (const [key, value] of Object.entries(values)) {
    const place = `${path}:${lineOf(lines, key, after)}`;
    const text = textOf(value);
    if (!knownKeys.includes(key) && keysAbove.includes(key)) {
      problems.push(
        `${place}: '${key}' is an option of the node: write it above the first [[${table}]]`,
      );
    } else if (!knownKeys.includes(key)) {
      problems.push(`${place}: unknown ${describe(key, value, knownKeys)}`);
    } else if (text === undefined) {
      problems.push(
        `${place}: the value of '${key}' must be a string, a number, true or false, or an array of these`,
      );
    } else {
      settings.set(key, { text, place, folder: dirname(path) });
    }
  }
  return settings;
}

/** Names a table with its brackets, as the file has it. */
function describe(key: string, value: unknown, knownKeys: readonly string[]): string {
  const isList = Array.isArray(value);
  if (typeof value !== 'object' || (isList && !isTableList(value))) {
    const near = nearest(key, knownKeys);
    return `key '${key}'${near === undefined ? '' : `; did you mean '${near}'?`}`;
  }
  const near = nearest(key, TABLES);
  const hint =
    near === undefined
      ? 'only [[listener]] and [[bridge]] are tables'
      : `did you mean [[${near}]]?`;
  return `table ${isList ? `[[${key}]]` : `[${key}]`}; ${hint}`;
}

function isTableList([first]: readonly unknown[]): boolean {
  return typeof first === 'object' && !Array.isArray(first);
}

function explain(path: string, source: string, error: unknown): string {
  if (error instanceof TomlError) {
    const line = source.split('\n')[error.line - 1] ?? '';
    return `${path}:${error.line}: ${faultOf(line, error)}`;
  }
  return `-config=${path}: ${describeSystemError(error, 'read')}`;
}

/** A clear sentence for the common mistakes, and the parser's own words for the others. */
function faultOf(line: string, error: TomlError): string {
  // The message goes on with an excerpt of the file over several lines.
  const [first = ''] = error.message.split('\n');
  const words = first.replace(/^Invalid TOML document: /, '');
  const [, head = '', value = ''] = /^\s*([^=]*?)\s*(?:=\s*(.*?)\s*)?$/.exec(line) ?? [];
  const isOpen = ['"', "'"].some((quote) => value.split(quote).length % 2 === 0);
  if (/redefine an already defined/.test(words)) {
    const table = head.replace(/^\[+|\]+$/g, '');
    return head.startsWith('[') ? doubleBrackets(table) : `'${head}' is given twice`;
  }
  if (/^(control characters are not|unfinished string)/.test(words) && isOpen) {
    return 'the closing quote is missing';
  }
  if (words === 'invalid value' && /^[^\d"'[{]/.test(value)) {
    return `the value of '${head}' needs quotes around it`;
  }
  return words;
}

/** An array becomes its items with commas between them, as on the command line. */
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
 * The line of a key: the parser gives no positions, but keys are plain words, so a search finds them.
 * @returns counted from 1; 0 if the key is not found
 */
function lineOf(lines: readonly string[], key: string, after: number): number {
  const escaped = key.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const pattern = new RegExp(`^\\s*\\[*\\s*["']?${escaped}["']?\\s*[=.\\]]`);
  return lines.findIndex((line, index) => index >= after && pattern.test(line)) + 1;
}
