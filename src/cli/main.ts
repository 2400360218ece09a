// Runs the command that the arguments name. The only place that turns the error of a command into
// text and an exit code.

import { type Command, CommanderError } from 'commander';
import { normalizeArgv } from './argv.ts';
import type { CliContext } from './context.ts';
import { type ExitCode, exitCodeOf, exitCodes, explainError } from './exit-codes.ts';
import { buildProgram } from './program.ts';

/** @param tokens the arguments without node and script */
export async function main(tokens: readonly string[], context: CliContext): Promise<ExitCode> {
  try {
    const program = await programFor(tokens, context);
    await program.parseAsync(normalizeArgv(tokens, program), { from: 'user' });
    return context.exitCode;
  } catch (error) {
    // commander has already printed its help, version or error.
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    }
    for (const line of explainError(error)) context.writeError(`shoal: ${line}\n`);
    return exitCodeOf(error);
  }
}

/** With all commands, or without any where a node runs: their code would take some megabytes of it. */
async function programFor(tokens: readonly string[], context: CliContext): Promise<Command> {
  const program = buildProgram(context, []);
  if (runsNode(tokens, program)) return program;
  const { subcommands } = await import('./subcommands.ts');
  return buildProgram(context, subcommands);
}

/** True if there are only flags, and none of them asks for help. */
function runsNode(tokens: readonly string[], program: Command): boolean {
  try {
    const flags = normalizeArgv(tokens, program);
    return flags.every((flag) => /^--./.test(flag) && flag !== '--help');
  } catch {
    // A fault of the arguments, perhaps of those of a command.
    return false;
  }
}
