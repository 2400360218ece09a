// What a command may use of the process, so that tests run commands without one.

import type { ExitCode } from './exit-codes.ts';

export interface CliContext {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly hostName: string;
  /** How this program was started, without flags: `node shoal.js`. */
  readonly command: string;
  readonly outputIsTerminal: boolean;
  write(text: string): void;
  writeError(text: string): void;
  readFile(path: string): string;
  /** Asks on the terminal, without showing what is typed. */
  askSecret(question: string): Promise<string>;
  /** A later handler takes the place of an earlier one. */
  onSignal(signal: NodeJS.Signals, handler: () => void): void;
  /** Ends the process at once. */
  exit(code: ExitCode): void;
  /** Set by the command that ran. */
  exitCode: ExitCode;
}
