// Decides what `shoal service install` writes: the unit with the flags of the command, paths made absolute,
// and what keeps the service from running that way. Touches nothing.

import { isAbsolute, join } from 'node:path';
import { optionTable } from '../../config/config.ts';
import { configuredFiles } from '../../config/files.ts';
import type { LoadedConfig } from '../../config/load.ts';
import type { AnyOption } from '../../config/option.ts';
import { UsageError } from '../exit-codes.ts';
import { unitText } from './unit.ts';

const DESCRIPTORS_MIN = 65_536;
/** Beside the clients: files, listeners and the cluster. */
const DESCRIPTORS_SPARE = 1024;
/** ProtectHome= hides these from the service. */
const HIDDEN = /^\/(home|root|run\/user)(\/|$)/;
const NAME = /^[a-z][a-z0-9_-]{0,30}$/;

export interface PlanOptions {
  readonly name: string;
  readonly user: string;
  readonly memoryMax: string;
  /** Absolute path of Node; undefined if the program contains it. */
  readonly node: string | undefined;
}

export interface Plan {
  readonly unitFile: string;
  readonly unit: string;
  /** Where the program is copied to. */
  readonly program: string;
  /** Files that the service's user has to be able to read. */
  readonly files: readonly string[];
}

/** @throws UsageError for what is no name of a service or a user: it becomes part of paths and commands */
export function checkName(flag: string, value: string): void {
  if (NAME.test(value)) return;
  throw new UsageError(`bad value '${value}' for -${flag}: expected small letters and digits`);
}

/** @throws UsageError */
export function planOf({ config, origins }: LoadedConfig, options: PlanOptions): Plan {
  const { name, user, memoryMax, node } = options;
  checkName('name', name);
  checkName('user', user);
  if (!/^\d+(%|[KMGT])?$/.test(memoryMax)) {
    throw new UsageError(`bad value '${memoryMax}' for -memory-max: expected 80% or 512M`);
  }
  if (origins.tokens.source === 'flag') {
    throw new UsageError(
      'every user can read a unit: give the token by -csk-file=FILE, not by -csk',
    );
  }
  const state = `/var/lib/${name}`;
  const data = config.dataFolder ?? state;
  const files = configuredFiles(config).map(({ path }) => path);
  if (config.configFile !== undefined) files.unshift(config.configFile);
  const nodeFiles = node === undefined ? [] : [node];
  refuseHidden([...nodeFiles, data, ...files]);
  const program = `/opt/${name}/${node === undefined ? 'shoal' : 'shoal.js'}`;
  const flags = flagsOf(config, origins);
  if (config.dataFolder === undefined) flags.push(`-data=${state}`);
  refuseControls([...nodeFiles, data, ...flags]);
  const unit = unitText({
    ...{ name, user, node, program, flags, memoryMax },
    ownFolder: data === state || data.startsWith(`${state}/`) ? undefined : data,
    descriptors: Math.max(DESCRIPTORS_MIN, descriptorsFor(config.connectionsMax)),
    hasLowPort: config.listeners.some(({ port }) => port > 0 && port < 1024),
  });
  return { unitFile: join('/etc/systemd/system', `${name}.service`), unit, program, files };
}

function descriptorsFor(connectionsMax: number): number {
  return Number.isFinite(connectionsMax) ? connectionsMax + DESCRIPTORS_SPARE : 0;
}

function refuseHidden(paths: readonly string[]): void {
  const hidden = paths.find((path) => HIDDEN.test(path));
  if (hidden === undefined) return;
  throw new UsageError(
    `the service can't read ${hidden}: home folders are hidden from it; move it, to /etc/shoal for example`,
  );
}

/** A line break would begin another directive of the unit, which root's systemd runs. */
function refuseControls(words: readonly string[]): void {
  const bad = words.find((word) => /\p{Cc}/u.test(word));
  if (bad === undefined) return;
  throw new UsageError(
    `a unit holds no line breaks or control characters: change ${JSON.stringify(bad)}`,
  );
}

/** The flags of the command line, with absolute paths. */
function flagsOf(config: LoadedConfig['config'], origins: LoadedConfig['origins']): string[] {
  return (Object.keys(optionTable) as (keyof typeof optionTable)[]).flatMap((key) => {
    if (origins[key].source !== 'flag') return [];
    const { flag, type }: AnyOption = optionTable[key];
    const value: unknown = config[key];
    return [`-${flag}=${type.format(value)}`];
  });
}

export function underRoot(root: string, path: string): string {
  return isAbsolute(path) ? join(root, path) : path;
}
