// `shoal config set` in the node: decides where a new value goes (the TOML file, or this run only) and whether it
// counts at once or after a restart. Writes the file; the reloader applies the value.
// Invariant: a file is replaced only by a text that loads without a fault.

import { copyFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { replaceFile } from '../auth/replace-file.ts';
import { type ConfigKey, optionTable } from '../config/config.ts';
import { ConfigError, type Load, type LoadedConfig, type Origin } from '../config/load.ts';
import type { AnyOption } from '../config/option.ts';
import { flagsNeedingRestart } from '../config/reload.ts';
import { nearest } from '../config/suggest.ts';
import { withSetting } from '../config/toml-edit.ts';
import { shownValue } from '../config/value-types.ts';
import type { OptionSet } from '../http/node-api.ts';
import { SettingError } from '../node/config-source.ts';
import { describeSystemError } from '../shared/describe-system-error.ts';
import { refuseMissingFiles } from './missing-files.ts';

/** Options with a command of their own, or that name the file itself. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  csk: 'shoal token rotate replaces the cluster token on all boxes',
  'csk-file': 'shoal token rotate replaces the cluster token on all boxes',
  config: 'it names the file itself: change it where the node is started',
};

export interface Setting {
  readonly row: AnyOption;
  readonly key: ConfigKey;
  /** The configuration with the new value. */
  readonly next: LoadedConfig;
  /** Values that only this run has, by flag. */
  readonly set: Readonly<Record<string, string>>;
  readonly isInForce: boolean;
  readonly file: string | null;
  readonly backup: string | null;
  readonly notes: readonly string[];
}

/**
 * Checks the value and writes the file, where there is one.
 * @param before in force
 * @param set values of this run so far
 * Rejects with SettingError.
 */
export async function prepareSetting(
  { flag, value }: { readonly flag: string; readonly value: string },
  before: LoadedConfig,
  set: Readonly<Record<string, string>>,
  load: Load,
  readFile: (path: string) => string,
): Promise<Setting> {
  const { row, key } = rowOf(flag);
  if (row.type.parse(value) === undefined) {
    const shown = shownValue(row.type, value);
    throw new SettingError(`bad value${shown} for -${flag}: expected ${row.type.expected}`);
  }
  const { [flag]: _, ...others } = set;
  const origin = loaded(() => load({ set: others })).origins[key];
  const isAbove = origin.source === 'flag' || origin.source === 'environment';
  const path = before.config.configFile;
  if (path === undefined || isAbove) {
    if (row.reload !== true) throw new SettingError(fixedText(flag, origin));
    const ofRun = { ...others, [flag]: value };
    const next = loaded(() => load({ set: ofRun }));
    const isInForce = appliesNow(row, before, next);
    const notes = [isAbove ? aboveText(origin) : endText(flag, value)];
    return { row, key, next, set: ofRun, isInForce, file: null, backup: null, notes };
  }
  const source = readFile(path);
  const text = withSetting(source, flag, value);
  if (text === undefined) {
    throw new SettingError(`${path} can't be changed safely: write ${flag} in it by hand`);
  }
  const next = loaded(() => load({ set, texts: new Map([[path, text]]) }));
  const backup = `${path}.bak`;
  await write(path, text, backup);
  const isInForce = appliesNow(row, before, next);
  const notes = isInForce ? [] : [`-${flag} changes when the node starts again: restart it`];
  return { row, key, next, set, isInForce, file: resolve(path), backup: resolve(backup), notes };
}

export function resultOf(setting: Setting, before: LoadedConfig, faults: number): OptionSet {
  const { row, key, next, isInForce, file, backup, notes } = setting;
  const format = (value: unknown): string =>
    value === undefined ? '-' : row.type.format(value) || '-';
  const wrong =
    faults === 0 ? [] : ['a file or listener is wrong and keeps its last valid form: see the log'];
  const [from, to] = [format(before.config[key]), format(next.config[key])];
  return { option: row.flag, from, to, isInForce, file, backup, notes: [...notes, ...wrong] };
}

/** @throws SettingError */
function rowOf(flag: string): { row: AnyOption; key: ConfigKey } {
  const keys = Object.keys(optionTable) as ConfigKey[];
  const key = keys.find((one) => optionTable[one].flag === flag);
  if (key === undefined) {
    const near = nearest(
      flag,
      keys.map((one) => optionTable[one].flag),
    );
    const hint = near === undefined ? 'shoal config show lists all' : `did you mean '${near}'?`;
    throw new SettingError(`there is no option '${flag.slice(0, 40)}'; ${hint}`);
  }
  const reason = Object.hasOwn(ELSEWHERE, flag) ? ELSEWHERE[flag] : undefined;
  if (reason !== undefined) throw new SettingError(`-${flag} is not set this way: ${reason}`);
  return { row: optionTable[key], key };
}

function fixedText(flag: string, { source, place }: Origin): string {
  const start = `-${flag} can't change while the node runs`;
  if (source === 'flag' || source === 'environment') {
    return `${start}, and comes from ${place}: change it there and restart the node`;
  }
  return `${start}, and no file of -config keeps it: start the node with the new -${flag}`;
}

function aboveText({ place }: Origin): string {
  return `it lasts until a restart: ${place} gives the value at the start; change it there too`;
}

function endText(flag: string, value: string): string {
  const shown = /^[\w./:,-]+$/.test(value) ? value : `'${value}'`;
  return `it lasts until a restart, as no file of -config keeps it; to keep it, start with -${flag}=${shown}`;
}

function appliesNow(row: AnyOption, before: LoadedConfig, next: LoadedConfig): boolean {
  const waiting = flagsNeedingRestart(before.config, next.config);
  return row.reload === true && !waiting.includes(`-${row.flag}`);
}

/** @throws SettingError for a configuration with which the node would not start */
function loaded(load: () => LoadedConfig): LoadedConfig {
  try {
    const found = load();
    refuseMissingFiles(found);
    return found;
  } catch (error) {
    if (error instanceof ConfigError) throw new SettingError(error.problems.join('; '));
    throw error;
  }
}

async function write(path: string, text: string, backup: string): Promise<void> {
  try {
    await copyFile(path, backup);
    await replaceFile(path, text);
  } catch (error) {
    throw new SettingError(`${path}: ${describeSystemError(error, 'write')}`);
  }
}
