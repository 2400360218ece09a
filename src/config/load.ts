// Brings flags, environment, file and defaults together into one Config, in this order of
// precedence, and remembers where each value came from. All mistakes are collected, so that a user
// sees them at once; each message names the option, the value and what would be right. Reads the
// world only through `Host`, which tests replace.

import { resolve } from 'node:path';
import { describeSystemError } from '../shared/describe-system-error.ts';
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
import { readTomlFile, type TomlFile, type TomlTable } from './toml-file.ts';
import { findConflicts, findOddities } from './validate.ts';

export interface Host {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly hostName: string;
  /** @throws as fs.readFileSync does */
  readFile(path: string): string;
}

export interface Origin {
  readonly source: 'flag' | 'environment' | 'file' | 'default';
  /** `-nid`, `SHOAL_NID`, `/etc/shoal.toml:3`; empty for a default. */
  readonly place: string;
}

export interface LoadedConfig {
  readonly config: Config;
  readonly origins: Readonly<Record<ConfigKey, Origin>>;
  /** The [[listener]] tables of the file. */
  readonly tables: readonly TomlTable[];
  /** Things that are most likely mistakes but do no harm. */
  readonly warnings: readonly string[];
}

/** The configuration is wrong; each problem is a line for the user. */
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

const keys = Object.keys(optionTable) as ConfigKey[];
const rowOf = (key: ConfigKey): AnyOption => optionTable[key];

/**
 * @param flags values by flag name, as the user wrote them
 * @throws ConfigError
 */
export function loadConfig(
  flags: Readonly<Record<string, string>>,
  surroundings: Host,
): LoadedConfig {
  const problems: string[] = [];
  const warnings = unknownVariables(surroundings.environment);
  const file = readSettings(flags, surroundings, problems);

  const values: Partial<Record<ConfigKey, unknown>> = {};
  const origins: Partial<Record<ConfigKey, Origin>> = {};
  for (const key of keys) {
    const raw = pickRaw(rowOf(key).flag, flags, surroundings.environment, file.settings);
    if (raw === undefined) continue;
    origins[key] = raw.origin;
    values[key] = parseValue(rowOf(key), raw, problems);
  }
  readTokenFile(values, origins, surroundings, problems);
  fillDefaults(values, origins, surroundings.hostName, file.tables.length > 0);

  // Every key has been given a parsed value or its default; a wrong one is among the problems.
  const options = values as OptionValues;
  const isSound = problems.length === 0;
  const listeners = isSound ? resolveListeners(options, file.tables, problems) : [];
  if (!isSound) problems.push(...wrongTableValues(file.tables));
  const config: Config = { ...options, listeners };
  if (problems.length === 0) problems.push(...findConflicts(config));
  if (problems.length > 0) throw new ConfigError(problems);
  warnings.push(...findOddities(config));
  return { config, origins: origins as Record<ConfigKey, Origin>, tables: file.tables, warnings };
}

function readSettings(
  flags: Readonly<Record<string, string>>,
  surroundings: Host,
  problems: string[],
): Pick<TomlFile, 'settings' | 'tables'> {
  const row = optionTable.configFile;
  const raw = pickRaw(row.flag, flags, surroundings.environment, new Map());
  if (raw === undefined || raw.text === '') return { settings: new Map(), tables: [] };
  const known = keys.map((key) => rowOf(key).flag).filter((flag) => flag !== row.flag);
  const file = readTomlFile(raw.text, known, listenerKeys, surroundings.readFile);
  problems.push(...file.problems);
  return file;
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
  // Kubernetes sets SHOAL_PORT=tcp://10.0.0.1:1883 for a service that is called shoal.
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
    const shown = row.type.secret ? '' : ` '${raw.text}'`;
    const place = raw.origin.source === 'flag' ? '' : `${raw.origin.place}: `;
    problems.push(`${place}bad value${shown} for -${row.flag}: expected ${row.type.expected}`);
  }
  return value;
}

/** Tells where the file was asked for, and where it was looked for. */
export function unreadable(
  flag: string,
  path: string,
  { source, place }: Origin,
  error: unknown,
): string {
  const asked = source === 'file' ? `${place}: ${flag} = ` : `${place}=`;
  return `${asked}${resolve(path)}: ${describeSystemError(error, 'read')}`;
}

/** -csk-file is only another place for the value of -csk. */
function readTokenFile(
  values: Partial<Record<ConfigKey, unknown>>,
  origins: Partial<Record<ConfigKey, Origin>>,
  surroundings: Host,
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
    const lines = surroundings
      .readFile(path)
      .split(/\r?\n/)
      .filter((line) => line.trim() !== '');
    origins.tokens = { source: 'file', place: path };
    values.tokens = optionTable.tokens.type.parse(lines.join(','));
    if (values.tokens === undefined) problems.push(`${path}: holds no cluster token`);
  } catch (error) {
    const origin = origins.tokenFile as Origin;
    problems.push(unreadable(optionTable.tokenFile.flag, path, origin, error));
  }
}

function fillDefaults(
  values: Partial<Record<ConfigKey, unknown>>,
  origins: Partial<Record<ConfigKey, Origin>>,
  hostName: string,
  hasListenerTables: boolean,
): void {
  const profile = (values.profile ?? optionTable.profile.fallback) as DefaultContext['profile'];
  for (const key of keys) {
    if (origins[key] !== undefined) continue;
    const { fallback } = rowOf(key);
    values[key] =
      typeof fallback === 'function'
        ? fallback({ hostName, profile, hasListenerTables })
        : fallback;
    origins[key] = { source: 'default', place: '' };
  }
}

/** A variable that nearly is one of ours is a slip; any other may belong to someone else. */
function unknownVariables(environment: Host['environment']): string[] {
  const known = keys.map((key) => environmentName(rowOf(key).flag));
  const warnings: string[] = [];
  for (const variable of Object.keys(environment)) {
    if (!variable.startsWith('SHOAL_') || known.includes(variable)) continue;
    const near = nearest(variable, known);
    if (near !== undefined) warnings.push(`${variable} is not known; did you mean ${near}?`);
  }
  return warnings;
}
