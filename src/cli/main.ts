// Runs the command that the arguments name. The only place that turns the error of a command into
// text and an exit code.

import { CommanderError } from 'commander';
import { normalizeArgv } from './argv.ts';
import type { CliContext } from './context.ts';
import { type ExitCode, exitCodeOf, exitCodes, explainError } from './exit-codes.ts';
import { buildProgram } from './program.ts';

/** @param tokens the arguments without node and script */
export async function main(tokens: readonly string[], context: CliContext): Promise<ExitCode> {
  const program = buildProgram(context);
  try {
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
