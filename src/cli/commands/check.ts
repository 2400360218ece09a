// `shoal check`: tells whether a node would accept this configuration, without starting one.

import type { Command } from 'commander';
import { addConfigOptions, configOf } from '../config-options.ts';
import type { CliContext } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';

export function addCheck(program: Command, context: CliContext): void {
  const command = program
    .command('check')
    .usage('[flags]')
    .description('check the configuration and the files it names, start nothing');
  addConfigOptions(command).action(() => {
    const { warnings } = configOf(command, context);
    for (const warning of warnings) context.writeError(`shoal: ${warning}\n`);
    context.write('configuration ok\n');
    context.exitCode = exitCodes.ok;
  });
}
