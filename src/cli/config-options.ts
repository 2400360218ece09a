// Adds the options of the configuration to a command, and reads their values back. Must not know any
// option by name.

import { type Command, Option } from 'commander';
import { optionTable } from '../config/config.ts';
import { type ConfigChanges, type LoadedConfig, loadConfig } from '../config/load.ts';
import { type AnyOption, groups } from '../config/option.ts';
import type { CliContext } from './context.ts';

const table: readonly AnyOption[] = Object.values(optionTable);
const rows = groups.flatMap((group) => table.filter((row) => row.group === group));

/** @param shown the flags that the command's help lists; the command accepts all flags */
export function addConfigOptions(command: Command, shown?: readonly string[]): Command {
  for (const row of rows) {
    const { placeholder } = row.type;
    const flags = placeholder === undefined ? `--${row.flag}` : `--${row.flag} <${placeholder}>`;
    const option = new Option(flags, describe(row)).helpGroup(`${row.group}:`);
    command.addOption(option.hideHelp(shown?.includes(row.flag) === false));
    if (placeholder === undefined) command.addOption(new Option(`--no-${row.flag}`).hideHelp());
  }
  return command;
}

/** Loads the configuration from the command's flags and the other sources. @throws ConfigError */
export function configOf(
  command: Command,
  context: CliContext,
  changes?: ConfigChanges,
): LoadedConfig {
  return loadConfig(flagsOf(command), context, changes);
}

function flagsOf(command: Command): Record<string, string> {
  const flags: Record<string, string> = {};
  for (const option of command.options) {
    const value: unknown = command.getOptionValue(option.attributeName());
    if (option.negate || value === undefined) continue;
    flags[(option.long ?? '').slice(2)] = String(value);
  }
  return flags;
}

function describe(row: AnyOption): string {
  const { fallback } = row;
  const value = fallback === undefined || typeof fallback === 'function' ? undefined : fallback;
  const shown = row.fallbackText ?? (value === undefined ? undefined : row.type.format(value));
  return shown === undefined ? row.help : `${row.help} (default ${shown})`;
}
