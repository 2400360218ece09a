// `shoal config show`: prints the value and the origin of every option, then those of each
// [[listener]] and [[bridge]]; with -running, what counts in the node on this machine. Shows secrets as stars.

import type { Command } from 'commander';
import { accessSummaryOf } from '../../auth/access-summary.ts';
import { type ConfigKey, optionTable } from '../../config/config.ts';
import { bridgeSettings, settingsOf } from '../../config/listener-settings.ts';
import type { LoadedConfig, Origin } from '../../config/load.ts';
import type { AnyOption } from '../../config/option.ts';
import type { OptionView } from '../../http/node-api.ts';
import { addConfigOptions, configOf } from '../config-options.ts';
import type { CliContext } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { NodeConnection } from '../node-connection.ts';
import { addConfigSet } from './config-set.ts';

export function addConfigShow(program: Command, context: CliContext): void {
  const parent = program.command('config').description('show or change the configuration');
  addConfigSet(parent, context);
  const command = parent
    .command('show')
    .usage('[flags]')
    .description('print every value and its origin')
    .option('--running', 'of the node that runs on this machine');
  addConfigOptions(command).action(async ({ running }: { readonly running?: boolean }) => {
    const isOfNode = running === true;
    context.write(
      isOfNode ? await shownByNode(command, context) : renderConfig(configOf(command, context)),
    );
    context.exitCode = exitCodes.ok;
  });
}

async function shownByNode(command: Command, context: CliContext): Promise<string> {
  const node = await NodeConnection.open(command, context);
  const { options } = await node.ask<{ options: readonly OptionView[] }>('/api/v1/config');
  return table(
    options.map(({ flag, value, source, place }) => [flag, value, originText(source, place)]),
  );
}

export function renderConfig(loaded: LoadedConfig): string {
  const { config, origins } = loaded;
  const { passwordFile, aclFile } = config;
  const node = { id: '', place: '', passwordFile, aclFile, anonymous: undefined, tls: undefined };
  const values = { ...config, anonymousAllowed: accessSummaryOf(config, node).byNothing };
  const rows = (Object.keys(optionTable) as ConfigKey[]).map((key) =>
    cellsOf(optionTable[key], values[key], origins[key]),
  );
  for (const listener of config.listeners) {
    const { id, place, protocol } = listener;
    // The rows above already show the settings of -port, -tls, -ws and -wss.
    if (place.startsWith('-')) continue;
    rows.push(['[[listener]]', `${protocol} ${id}`, `file ${place}`]);
    for (const { key, row, value, origin } of settingsOf(loaded, listener)) {
      const shown = key === 'anonymous' ? accessSummaryOf(config, listener).byNothing : value;
      const [flag = '', ...cells] = cellsOf(row, shown, origin);
      rows.push([`  ${flag}`, ...cells]);
    }
  }
  for (const bridge of loaded.bridgeTables) {
    rows.push(['[[bridge]]', bridge.settings.get('name')?.text ?? '', `file ${bridge.place}`]);
    for (const { row, value, origin } of bridgeSettings(bridge)) {
      const [flag = '', ...cells] = cellsOf(row, value, origin);
      rows.push([`  ${flag}`, ...cells]);
    }
  }
  return table(rows);
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map(
      ([flag = '', value = '', origin = '']) =>
        `${flag.padEnd(widths[0] ?? 0)}  ${value.padEnd(Math.min(widths[1] ?? 0, 40))}  ${origin}\n`,
    )
    .join('');
}

function cellsOf({ flag, type }: AnyOption, value: unknown, { source, place }: Origin): string[] {
  const shown = value === undefined ? '-' : type.format(value);
  return [flag, shown === '' ? '-' : shown, originText(source, place)];
}

function originText(source: string, place: string): string {
  if (source === 'set') return 'set while the node runs';
  return place === '' ? source : `${source} ${place}`;
}
