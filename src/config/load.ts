// Merges flags, environment, file and defaults, in this order of precedence, into one Config, and
// records the origin of each value. Collects all mistakes, so that the user sees them at once; each
// message names the option, the value and the accepted form. Reads the machine only through `Host`,
// which tests replace.

import { describeSystemError } from '../shared/describe-system-error.ts';
import { bridgeKeys, resolveBridges } from './bridges.ts';
import { type Config, type ConfigKey, type OptionValues, optionTable } from './config.ts';
import { listenerKeys, resolveListeners, wrongTableValues } from './listeners.ts';
import {
  type AnyOption,
  type DefaultContext,
  environmentName,
  type RawText,
  readValue,
} from './option.ts';
import { nearest } from './suggest.ts';
import { weakTokens } from './token-strength.ts';
import { readTomlFile, type TomlFile, type TomlTable } from './toml-file.ts';
import { findConflicts, findWarnings } from './validate.ts';
import { shownValue } from './value-types.ts';

/** The machine that the configuration is read on. */
export interface Host {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly hostName: string;
  /** Memory that the program may use, bytes; undefined: any. */
  readonly memoryBytes?: number;
  /** @throws as fs.readFileSync does */
  readFile(path: string): string;
}

/** What differs from the sources as they are. */
export interface ConfigChanges {
  /** Values by flag that come before every other source: set while the node runs. */
  readonly set?: Readonly<Record<string, string>>;
  /** The text that a file is about to have, by its path. */
  readonly texts?: ReadonlyMap<string, string>;
  /** Tables that are in no file. */
  readonly tables?: TomlFile['tables'];
}

export interface Origin {
  readonly source: 'set' | 'flag' | 'environment' | 'file' | 'default';
  /** `-nid`, `SHOAL_NID`, `/etc/shoal.toml:3`; empty for a default, and for what was set. */
  readonly place: string;
}

export interface LoadedConfig {
  readonly config: Config;
  readonly origins: Readonly<Record<ConfigKey, Origin>>;
  /** The [[listener]] tables of the file. */
  readonly tables: readonly TomlTable[];
  /** The [[bridge]] tables. */
  readonly bridgeTables: readonly TomlTable[];
  /** Settings that are probably mistakes but keep no node from running. */
  readonly warnings: readonly string[];
}

/** The configuration is wrong. Each problem is one line for the user. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

interface RawValue extends RawText {
  readonly origin: Origin;
}

type Settings = Pick<TomlFile, 'settings' | 'tables'>;

const NO_TABLES: TomlFile['tables'] = { listener: [], bridge: [] };
const keys = Object.keys(optionTable) as ConfigKey[];
const keysOfTables = { listener: listenerKeys, bridge: bridgeKeys };
const rowOf = (key: ConfigKey): AnyOption => optionTable[key];

/** loadConfig() of one program: reads all sources again. Throws ConfigError. */
export type Load = (changes?: ConfigChanges) => LoadedConfig;

/**
 * @param flags values by flag name, as the user wrote them
 * @throws ConfigError
 */
export function loadConfig(
  flags: Readonly<Record<string, string>>,
  machine: Host,
  { set = {}, texts = new Map(), tables = NO_TABLES }: ConfigChanges = {},
): LoadedConfig {
  const { environment, hostName, memoryBytes = Number.POSITIVE_INFINITY } = machine;
  const readFile = (path: string): string => texts.get(path) ?? machine.readFile(path);
  const host: Host = { environment, hostName, memoryBytes, readFile };
  const problems: string[] = [];
  const warnings = unknownVariables(host.environment);
  const file = joinTables(readSettings(flags, host, problems), tables);

  const values: Partial<Record<ConfigKey, unknown>> = {};
  const origins: Partial<Record<ConfigKey, Origin>> = {};
  for (const key of keys) {
    const { flag } = rowOf(key);
    const raw = setValue(set[flag]) ?? pickRaw(flag, flags, environment, file.settings);
    if (raw === undefined) continue;
    origins[key] = raw.origin;
    values[key] = parseValue(rowOf(key), raw, problems);
  }
  checkTokenList(values.tokens, origins.tokens, problems);
  readTokenFile(values, origins, host, problems);
  const hasListenerTables = file.tables.listener.length > 0;
  fillDefaults(values, origins, { hostName, memoryBytes, hasListenerTables });

  // Every key has a parsed value or its default by now, or a line among the problems.
  const options = values as OptionValues;
  const isSound = problems.length === 0;
  const listeners = isSound ? resolveListeners(options, file.tables.listener, problems) : [];
  if (!isSound) problems.push(...wrongTableValues(file.tables.listener));
  const bridges = resolveBridges(options, file.tables.bridge, problems);
  const config: Config = { ...options, listeners, bridges };
  if (problems.length === 0) problems.push(...findConflicts(config));
  if (problems.length > 0) throw new ConfigError(problems);
  warnings.push(...findWarnings(config));
  return {
    config,
    origins: origins as Record<ConfigKey, Origin>,
    tables: file.tables.listener,
    bridgeTables: file.tables.bridge,
    warnings,
  };
}

function joinTables(file: Settings, { listener, bridge }: TomlFile['tables']): Settings {
  const joined = {
    listener: [...file.tables.listener, ...listener],
    bridge: [...file.tables.bridge, ...bridge],
  };
  return { settings: file.settings, tables: joined };
}

function readSettings(
  flags: Readonly<Record<string, string>>,
  host: Host,
  problems: string[],
): Settings {
  const row = optionTable.configFile;
  const raw = pickRaw(row.flag, flags, host.environment, new Map());
  if (raw === undefined || raw.text === '') return { settings: new Map(), tables: NO_TABLES };
  const known = keys.map((key) => rowOf(key).flag).filter((flag) => flag !== row.flag);
  const file = readTomlFile(raw.text, known, keysOfTables, host.readFile);
  problems.push(...file.problems);
  return file;
}

function setValue(text: string | undefined): RawValue | undefined {
  return text === undefined ? undefined : { text, origin: { source: 'set', place: '' } };
}

function pickRaw(
  flag: string,
  flags: Readonly<Record<string, string>>,
  environment: Host['environment'],
  settings: TomlFile['settings'],
): RawValue | undefined {
  const given = flags[flag];
  if (given !== undefined) return { text: given, origin: { source: 'flag', place: `-${flag}` } };
  const variable = environmentName(flag);
  const set = environment[variable];
  // Kubernetes sets SHOAL_PORT=tcp://10.0.0.1:1883 for a service named shoal.
  if (set !== undefined && !/^(tcp|udp):\/\//.test(set)) {
    return { text: set, origin: { source: 'environment', place: variable } };
  }
  const setting = settings.get(flag);
  if (setting === undefined) return undefined;
  return { ...setting, origin: { source: 'file', place: setting.place } };
}

function parseValue(row: AnyOption, raw: RawValue, problems: string[]): unknown {
  const value: unknown = readValue(row, raw);
  if (value === undefined) {
    const place = raw.origin.source === 'flag' ? '' : `${raw.origin.place}: `;
    problems.push(
      raw.text === ''
        ? `${place}-${row.flag} needs a value: ${row.type.expected}`
        : `${place}bad value${shownValue(row.type, raw.text)} for -${row.flag}: expected ${row.type.expected}`,
    );
  }
  return value;
}

/** A line about a file that can't be read: who named it, and its path. */
export function unreadable(
  flag: string,
  path: string,
  { source, place }: Origin,
  error: unknown,
): string {
  const named = source === 'file' ? `${place}: ${flag} = ` : `${place}=`;
  return `${named}${path}: ${describeSystemError(error, 'read')}`;
}

/** A comma inside of what was meant as one token would make a short second token, which opens the cluster. */
function checkTokenList(tokens: unknown, origin: Origin | undefined, problems: string[]): void {
  if (!Array.isArray(tokens) || tokens.length < 2 || origin === undefined) return;
  const weak = weakTokens(tokens);
  if (weak.length === 0) return;
  problems.push(
    `${origin.place}: the comma separates ${tokens.length} tokens, each of which opens the cluster; too weak: number ${weak.join(' and ')}; use -csk-file=FILE with one token per line, or one token without a comma`,
  );
}

/** -csk-file is another place for the value of -csk, with one token per line. */
function readTokenFile(
  values: Partial<Record<ConfigKey, unknown>>,
  origins: Partial<Record<ConfigKey, Origin>>,
  host: Host,
  problems: string[],
): void {
  const path = values.tokenFile;
  if (typeof path !== 'string') return;
  if (origins.tokens !== undefined) {
    problems.push(
      `both ${origins.tokens.place} and ${origins.tokenFile?.place} give the cluster token: keep one`,
    );
    return;
  }
  try {
    const lines = host
      .readFile(path)
      .split(/\r\n?|\n/)
      .filter((line) => line.trim() !== '');
    origins.tokens = { source: 'file', place: path };
    // One token per line: a comma is part of the token.
    values.tokens = lines.length > 0 ? lines : undefined;
    if (lines.length === 0) problems.push(`${path}: holds no cluster token`);
  } catch (error) {
    const origin = origins.tokenFile as Origin;
    problems.push(unreadable(optionTable.tokenFile.flag, path, origin, error));
  }
}

function fillDefaults(
  values: Partial<Record<ConfigKey, unknown>>,
  origins: Partial<Record<ConfigKey, Origin>>,
  facts: Omit<DefaultContext, 'profile'>,
): void {
  const profile = (values.profile ?? optionTable.profile.fallback) as DefaultContext['profile'];
  for (const key of keys) {
    if (origins[key] !== undefined) continue;
    const { fallback } = rowOf(key);
    values[key] = typeof fallback === 'function' ? fallback({ ...facts, profile }) : fallback;
    origins[key] = { source: 'default', place: '' };
  }
}

/** A variable close to one of ours is probably misspelt; any other may belong to another program. */
function unknownVariables(environment: Host['environment']): string[] {
  const known = keys.map((key) => environmentName(rowOf(key).flag));
  const warnings: string[] = [];
  for (const variable of Object.keys(environment)) {
    if (!variable.startsWith('SHOAL_') || known.includes(variable)) continue;
    const near = nearest(variable, known);
    if (near !== undefined) warnings.push(`unknown variable ${variable}; did you mean ${near}?`);
  }
  return warnings;
}
