// `shoal convert FILE`: prints a mosquitto.conf as a TOML file of ours, and on standard error what
// is not taken over as it stands: first what is lost by that.

import type { Command } from 'commander';
import { type Note, type Settings, translateMosquittoConf } from '../../config/mosquitto-conf.ts';
import { describeSystemError } from '../../shared/describe-system-error.ts';
import type { CliContext } from '../context.ts';
import { exitCodes, UsageError } from '../exit-codes.ts';

const HEADINGS = [
  ['lost', 'this is lost:'],
  ['unknown', 'mosquitto does not know this either:'],
  ['otherwise', 'this is done otherwise:'],
] as const;

export function addConvert(program: Command, context: CliContext): void {
  program
    .command('convert')
    .usage('mosquitto.conf > shoal.toml')
    .argument('<file>')
    .description('translate a mosquitto.conf, and list what is lost or done otherwise')
    .action((file: string) => {
      const translation = translateMosquittoConf(readOrRefuse(file, context));
      const { settings, listeners, notes, wantsData } = translation;
      context.write(tomlOf(settings));
      if (wantsData) context.write('# data = "/var/lib/shoal"\n');
      for (const listener of listeners) context.write(`\n[[listener]]\n${tomlOf(listener)}`);
      for (const line of report(file, notes)) context.writeError(`shoal: ${line}\n`);
      context.exitCode = exitCodes.ok;
    });
}

function report(file: string, notes: readonly Note[]): string[] {
  const lines: string[] = [];
  for (const [fate, heading] of HEADINGS) {
    const found = notes.filter((note) => note.fate === fate);
    if (found.length > 0) lines.push(heading);
    for (const { line, directive, text } of found) {
      lines.push(`  ${file}${line > 0 ? `:${line}` : ''}: ${directive}: ${text}`);
    }
  }
  const needless = notes.filter(({ fate }) => fate === 'needless');
  const names = needless.map(({ line, directive }) => `${directive} (line ${line})`);
  return needless.length > 0 ? [...lines, `not needed here: ${names.join(', ')}`] : lines;
}

function readOrRefuse(file: string, context: CliContext): string {
  try {
    return context.readFile(file);
  } catch (error) {
    throw new UsageError(`${file}: ${describeSystemError(error, 'read')}`);
  }
}

function tomlOf(settings: Settings): string {
  return [...settings].map(([name, value]) => `${name} = ${tomlValue(value)}\n`).join('');
}

/** Numbers and truth values bare, all else as a JSON string, which TOML reads alike. */
function tomlValue(value: string): string {
  return /^(\d+|true|false)$/.test(value) ? value : JSON.stringify(value);
}
