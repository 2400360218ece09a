// From the argument vector to an exit code. The only place where errors of any command become
// text and a code.

import { CommanderError } from 'commander';
import { normalizeArgv } from './argv.ts';
import type { CliContext } from './context.ts';
import { type ExitCode, exitCodeOf, exitCodes, explainError } from './exit-codes.ts';
import { buildProgram } from './program.ts';

/** @param tokens without node and script */
export async function main(tokens: readonly string[], context: CliContext): Promise<ExitCode> {
  const program = buildProgram(context);
  try {
    await program.parseAsync(normalizeArgv(tokens, program), { from: 'user' });
    return context.exitCode;
  } catch (error) {
    // commander has printed its help, version or complaint already.
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    }
    for (const line of explainError(error)) context.writeError(`shoal: ${line}\n`);
    return exitCodeOf(error);
  }
}
