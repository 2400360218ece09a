// The whole command line: `shoal [flags]` runs a node, and each subcommand is a file in commands/,
// registered by subcommands.ts.

import type { Command } from 'commander';
import { nearest } from '../config/suggest.ts';
import { version } from '../shared/version.ts';
import { run } from './commands/run.ts';
import { addConfigOptions, configOf } from './config-options.ts';
import type { CliContext } from './context.ts';
import { UsageError } from './exit-codes.ts';
import { complaintOf, FlagCommand } from './flag-command.ts';

const SUMMARY = `MQTT broker that forms a cluster by itself: start it on each box.

  first box     shoal -nid=box1 -csk=TOKEN
  any other     shoal -nid=box2 -csk=TOKEN -mbs=ADDRESS-OF-BOX1:7946
  passwords     shoal passwd -c users alice
                shoal -auth=users
  TLS           shoal -port=off -tls=8883 -cert=box.pem -key=box.key
  keep data     shoal -data=/var/lib/shoal`;

const HELP_HINT = 'shoal: -help lists all commands and flags\n';

const HELP_OF_HELP = 'print the help of a command';

const HELP_WIDTH_MAX = 100;

/** What a user may want who types the command of another broker or service. */
const COMMAND_HINTS: Readonly<Record<string, string>> = {
  start: 'shoal without a command runs a node',
  run: 'shoal without a command runs a node',
  stop: 'SIGTERM stops a node: kill PID, or systemctl stop shoal',
  restart: 'as a service: systemctl restart shoal',
  reload: 'SIGHUP reloads the configuration: kill -HUP PID, or systemctl reload shoal',
};

/** Adds one command to the program. */
export type AddCommand = (program: Command, context: CliContext) => unknown;

/** @param subcommands empty for a program that only runs a node */
export function buildProgram(context: CliContext, subcommands: readonly AddCommand[]): Command {
  const program = new FlagCommand('shoal')
    .usage('[flags] [command]')
    .description(SUMMARY)
    .version(`shoal ${version}`, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .enablePositionalOptions()
    .allowExcessArguments()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.write(text),
      writeErr: (text) => context.writeError(text),
      getOutHelpWidth: () => Math.min(HELP_WIDTH_MAX, context.outputColumns),
      outputError: (text, write) => write(`shoal: ${complaintOf(text)}\n${HELP_HINT}`),
    })
    .helpCommand(false);
  addConfigOptions(program).action(async () => {
    const [operand] = program.args;
    if (operand !== undefined) throw unknownOperand(program, operand);
    context.exitCode = await run((changes) => configOf(program, context, changes), context);
  });
  for (const add of subcommands) add(program, context);
  program
    .command('version')
    .description('print the version, like -version')
    .action(() => context.write(`shoal ${version}\n`));
  program
    .command('help')
    .description(HELP_OF_HELP)
    .argument('[command...]')
    .action((names: string[]) => {
      let command: Command = program;
      for (const name of names) {
        const found = command.commands.find((each) => each.name() === name);
        if (found === undefined) throw unknownOperand(command, name);
        command = found;
      }
      context.write(command.helpInformation());
    });
  inheritTo(program);
  return program;
}

/** `retained rm`. */
function pathOf(command: Command): string {
  const { parent } = command;
  const before = parent === null || parent.parent === null ? '' : `${pathOf(parent)} `;
  return before + command.name();
}

/** commander passes settings only to commands that their parent created. */
function inheritTo(parent: Command): void {
  for (const command of parent.commands) {
    command.copyInheritedSettings(parent).enablePositionalOptions().allowExcessArguments(false);
    // A new object: the settings of the parent are shared with all its commands.
    const output = { ...command.configureOutput() };
    const path = pathOf(command);
    command.configureOutput({
      ...output,
      outputError: (text, write) =>
        write(`shoal: ${complaintOf(text, path)}\nshoal: see shoal ${path} -help\n`),
    });
    // pub and sub take -h for the host, as mosquitto's do.
    if (command.options.some(({ short }) => short === '-h')) {
      command.helpOption('--help', 'print this help');
    }
    if (command.commands.length > 0) command.helpCommand('help [command]', HELP_OF_HELP);
    inheritTo(command);
  }
}

function unknownOperand(program: Command, operand: string): UsageError {
  const near = nearest(
    operand,
    program.commands.map((command) => command.name()),
  );
  const suggestion = near === undefined ? '' : `; did you mean '${near}'?`;
  const hint = Object.hasOwn(COMMAND_HINTS, operand) ? `: ${COMMAND_HINTS[operand]}` : suggestion;
  return new UsageError(`unknown command or stray argument '${operand}'${hint}`);
}
