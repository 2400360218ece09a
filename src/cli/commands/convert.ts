// `shoal convert FILE`: prints a mosquitto.conf as a TOML file for -config, and on standard error what
// is not translated exactly, the losses first. Invariant: what it prints passes `shoal check`, as far
// as the files that it names exist.

import type { Command } from 'commander';
import { ConfigError, loadConfig } from '../../config/load.ts';
import type { BridgeDraft } from '../../config/mosquitto-bridges.ts';
import {
  type Note,
  type Settings,
  type Translation,
  translateDirectives,
} from '../../config/mosquitto-conf.ts';
import { readDirectives } from '../../config/mosquitto-lines.ts';
import type { ListenerDraft } from '../../config/mosquitto-listeners.ts';
import { describeSystemError } from '../../shared/describe-system-error.ts';
import type { CliContext } from '../context.ts';
import { exitCodes, UsageError } from '../exit-codes.ts';

const HEADINGS = [
  ['unsupported', 'not supported, and so lost:'],
  ['unknown', 'unknown to mosquitto as well:'],
  ['different', 'works differently:'],
] as const;

export function addConvert(program: Command, context: CliContext): void {
  program
    .command('convert')
    .usage('mosquitto.conf > shoal.toml')
    .argument('<file>', 'the mosquitto.conf; - for standard input')
    .description('translate a mosquitto.conf, and list what is lost or works differently')
    .action(async (file: string) => {
      const directives = readDirectives(file, await readOrRefuse(file, context), context);
      const translation = translateDirectives(directives);
      const toml = renderToml(translation);
      refuseInvalid(toml, context);
      context.write(toml);
      for (const line of report(translation.notes)) context.writeError(`shoal: ${line}\n`);
      const isComplete = translation.notes.every(
        ({ severity }) => severity !== 'unsupported' && severity !== 'unknown',
      );
      context.exitCode = isComplete ? exitCodes.ok : exitCodes.incomplete;
    });
}

async function readOrRefuse(file: string, context: CliContext): Promise<string> {
  try {
    return file === '-' ? await context.readInput() : context.readFile(file);
  } catch (error) {
    throw new UsageError(`${file}: ${describeSystemError(error, 'read')}`);
  }
}

/** A file that `check` would refuse must not be written: nothing is better than half. */
function refuseInvalid(toml: string, { hostName }: CliContext): void {
  try {
    loadConfig({ config: 'shoal.toml' }, { environment: {}, hostName, readFile: () => toml });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new Error(
      `nothing is written, since the translation would not be valid; please report this: ${error.message}`,
    );
  }
}

function report(notes: readonly Note[]): string[] {
  const lines: string[] = [];
  for (const [severity, heading] of HEADINGS) {
    const found = notes.filter((note) => note.severity === severity);
    if (found.length > 0) lines.push(heading);
    for (const { directive, text } of found) {
      const { file, line, name } = directive;
      lines.push(`  ${line > 0 ? `${file}:${line}: ` : ''}${name}: ${text}`);
    }
  }
  const unnecessary = notes.filter(({ severity }) => severity === 'unnecessary');
  const names = unnecessary.map(({ directive: { name, line } }) => `${name} (line ${line})`);
  return names.length > 0 ? [...lines, `not needed here: ${names.join(', ')}`] : lines;
}

/** The configuration as `shoal check` accepts it. */
export function renderToml({ settings, listeners, bridges }: Translation): string {
  return [
    renderSettings(settings),
    ...listeners.map((draft) => renderTable('listener', draft)),
    ...bridges.map((draft) => renderTable('bridge', draft)),
  ].join('\n');
}

/** A listener or bridge that can't be opened stays as a comment, for its reader to complete. */
function renderTable(name: string, { settings, refusal }: ListenerDraft | BridgeDraft): string {
  const table = `[[${name}]]\n${renderSettings(settings)}`;
  if (refusal === undefined) return table;
  return `# left out: ${withoutControls(refusal)}\n${table.replace(/^/gm, '# ').replace(/# $/, '')}`;
}

function renderSettings(settings: Settings): string {
  return [...settings].map(([name, value]) => `${name} = ${tomlValue(value)}\n`).join('');
}

/** Numbers and truth values bare, all else as a JSON string, which TOML reads alike. */
function tomlValue(value: string): string {
  if (/^(0|[1-9]\d*|true|false)$/.test(value)) return value;
  return JSON.stringify(value).replaceAll('\u007f', '\\u007f');
}

/** TOML forbids control characters, in comments too. */
function withoutControls(text: string): string {
  return text.replace(/\p{Cc}/gu, '?');
}
