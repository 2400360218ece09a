// Reads the options of createBroker() and createNode(): makes of each value the text that the command
// line would have, so that one parser, one set of bounds and one set of messages serve both. Reads no
// environment: the program that embeds a node decides where its options come from.

import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { bridgeKeys } from '../config/bridges.ts';
import { type ConfigKey, optionTable } from '../config/config.ts';
import { listenerKeys } from '../config/listeners.ts';
import { ConfigError, type LoadedConfig, loadConfig } from '../config/load.ts';
import { nearest } from '../config/suggest.ts';
import type { TomlFile } from '../config/toml-file.ts';
import { optionName } from './option-names.ts';

/** The options that are arrays of objects, and the tables of the file that they are like. */
const TABLES = { listeners: 'listener', bridges: 'bridge' } as const;
const SCALAR = 'a string, a number, true or false, or an array of these';

type Given = Readonly<Record<string, unknown>>;
type Tables = { -readonly [Key in keyof TomlFile['tables']]: TomlFile['tables'][Key] };

export interface OptionRules {
  /** Rows of the option table that may be given. */
  readonly keys: readonly ConfigKey[];
  /** Whether `listeners` and `bridges` may be given. */
  readonly withTables: boolean;
  /** Options that are no rows of the table: the caller reads them itself. */
  readonly others: readonly string[];
}

/** @throws ConfigError, with the problems of all options */
export function readOptions(given: unknown, rules: OptionRules): LoadedConfig {
  const problems: string[] = [];
  if (given === null || typeof given !== 'object' || Array.isArray(given)) {
    throw new ConfigError(['the options must be an object']);
  }
  const flags: Record<string, string> = {};
  const tables: Tables = { listener: [], bridge: [] };
  const flagOf = namesOf(rules.keys.map((key) => optionTable[key].flag));
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || rules.others.includes(name)) continue;
    const flag = flagOf.get(name);
    if (flag !== undefined) {
      readValue(name, value, problems, (text) => (flags[flag] = text));
    } else if (rules.withTables && isTableName(name)) {
      const keys = name === 'listeners' ? listenerKeys : bridgeKeys;
      tables[TABLES[name]] = readTables(name, value, keys, problems);
    } else {
      const isOfNode = !rules.withTables && isNodeOption(name);
      const problem = `unknown option '${name}': only createNode() has it`;
      problems.push(isOfNode ? problem : unknown(name, [...flagOf.keys(), ...rules.others]));
    }
  }
  const host = { environment: {}, hostName: hostname(), readFile };
  try {
    const loaded = loadConfig(flags, host, { tables });
    if (problems.length > 0) throw new ConfigError(problems);
    return loaded;
  } catch (error) {
    if (!(error instanceof ConfigError) || problems.length === 0) throw error;
    throw new ConfigError([...new Set([...problems, ...error.problems])]);
  }
}

function readFile(path: string): string {
  return readFileSync(path, 'utf8');
}

function isTableName(name: string): name is keyof typeof TABLES {
  return Object.hasOwn(TABLES, name);
}

function isNodeOption(name: string): boolean {
  const rows = Object.values(optionTable);
  return isTableName(name) || rows.some(({ flag }) => optionName(flag) === name);
}

/** The flags by the names that a program uses. */
function namesOf(flags: readonly string[]): Map<string, string> {
  return new Map(flags.map((flag) => [optionName(flag), flag]));
}

function unknown(name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  return `unknown option '${name}'${near === undefined ? '' : `; did you mean '${near}'?`}`;
}

function readTables(
  option: keyof typeof TABLES,
  value: unknown,
  keys: readonly string[],
  problems: string[],
): Tables['listener'] {
  if (!Array.isArray(value)) {
    problems.push(`${option} must be an array of objects`);
    return [];
  }
  const flagOf = namesOf(keys);
  return value.flatMap((table: unknown, index) => {
    const place = `${option}[${index}]`;
    if (table === null || typeof table !== 'object') {
      problems.push(`${place} must be an object`);
      return [];
    }
    const settings = new Map<string, { text: string; place: string; folder: string }>();
    for (const [name, one] of Object.entries(table as Given)) {
      const flag = flagOf.get(name);
      if (one === undefined) continue;
      if (flag === undefined) problems.push(`${place}: ${unknown(name, [...flagOf.keys()])}`);
      else {
        readValue(`${place}.${name}`, one, problems, (text) => {
          settings.set(flag, { text, place, folder: process.cwd() });
        });
      }
    }
    return [{ settings, place }];
  });
}

function readValue(
  name: string,
  value: unknown,
  problems: string[],
  take: (text: string) => void,
): void {
  const items: unknown[] = Array.isArray(value) ? value : [value];
  const isText = items.every((item) => ['string', 'number', 'boolean'].includes(typeof item));
  if (!isText) {
    problems.push(`bad value for ${name}: expected ${SCALAR}`);
  } else if (Array.isArray(value) && items.some((item) => String(item).includes(','))) {
    problems.push(`bad value for ${name}: an item of the array has a comma`);
  } else {
    take(items.map(textOf).join(','));
  }
}

/** A limit that is switched off is 0 on the command line; a program may also write Infinity. */
function textOf(item: unknown): string {
  return item === Number.POSITIVE_INFINITY ? '0' : String(item);
}
