// `shoal config show`: every option's value with where it came from. Secrets are shown as stars.

import type { Command } from 'commander';
import { type ConfigKey, optionTable } from '../../config/config.ts';
import type { LoadedConfig } from '../../config/load.ts';
import type { AnyOption } from '../../config/option.ts';
import { addConfigOptions, configOf } from '../config-options.ts';
import type { CliContext } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';

export function addConfigShow(program: Command, context: CliContext): void {
  const parent = program.command('config').description('look at the configuration');
  const command = parent
    .command('show')
    .usage('[flags]')
    .description('print every value and where it comes from');
  addConfigOptions(command).action(() => {
    context.write(renderConfig(configOf(command, context)));
    context.exitCode = exitCodes.ok;
  });
}

function renderConfig({ config, origins }: LoadedConfig): string {
  const rows = (Object.keys(optionTable) as ConfigKey[]).map((key) => {
    const row: AnyOption = optionTable[key];
    const value = config[key];
    const { source, place } = origins[key];
    const shown = value === undefined ? '-' : row.type.format(value);
    return [row.flag, shown === '' ? '-' : shown, place === '' ? source : `${source} ${place}`];
  });
  for (const { id, place, protocol, passwordFile, aclFile } of config.listeners) {
    // Those of an option stand in its row.
    if (place.startsWith('-')) continue;
    const own = [
      ...(passwordFile === config.passwordFile ? [] : [`auth=${passwordFile}`]),
      ...(aclFile === config.aclFile ? [] : [`acl=${aclFile}`]),
    ];
    rows.push(['[[listener]]', [protocol, id, ...own].join(' '), `file ${place}`]);
  }
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map(
      ([flag = '', value = '', origin = '']) =>
        `${flag.padEnd(widths[0] ?? 0)}  ${value.padEnd(Math.min(widths[1] ?? 0, 40))}  ${origin}\n`,
    )
    .join('');
}
