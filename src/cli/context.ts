// What a command may use of the process, so that tests run commands without one.

import type { ExitCode } from './exit-codes.ts';

export interface CliContext {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly hostName: string;
  readonly outputIsTerminal: boolean;
  write(text: string): void;
  writeError(text: string): void;
  readFile(path: string): string;
  /** Set by the command that ran. */
  exitCode: ExitCode;
}
