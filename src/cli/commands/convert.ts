// `shoal convert FILE`: prints a mosquitto.conf as a TOML file of ours, and on standard error what
// could not be taken over.

import type { Command } from 'commander';
import { type Settings, translateMosquittoConf } from '../../config/mosquitto-conf.ts';
import { fileFault } from '../../shared/file-fault.ts';
import type { CliContext } from '../context.ts';
import { exitCodes, UsageError } from '../exit-codes.ts';

export function addConvert(program: Command, context: CliContext): void {
  program
    .command('convert')
    .usage('mosquitto.conf > shoal.toml')
    .argument('<file>')
    .description('translate a mosquitto.conf, and list what has no counterpart')
    .action((file: string) => {
      const translation = translateMosquittoConf(file, readOrRefuse(file, context));
      const { settings, listeners, remarks } = translation;
      context.write(tomlOf(settings));
      for (const listener of listeners) context.write(`\n[[listener]]\n${tomlOf(listener)}`);
      for (const remark of remarks) context.writeError(`shoal: ${remark}\n`);
      context.exitCode = exitCodes.ok;
    });
}

function readOrRefuse(file: string, context: CliContext): string {
  try {
    return context.readFile(file);
  } catch (error) {
    throw new UsageError(`${file}: ${fileFault(error)}`);
  }
}

function tomlOf(settings: Settings): string {
  return [...settings].map(([name, value]) => `${name} = ${tomlValue(value)}\n`).join('');
}

/** Numbers and truth values bare, all else as a JSON string, which TOML reads alike. */
function tomlValue(value: string): string {
  return /^(\d+|true|false)$/.test(value) ? value : JSON.stringify(value);
}
