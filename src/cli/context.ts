// The part of the process that commands may use. Tests replace it and run commands without a process.

import type { ExitCode } from './exit-codes.ts';

export interface CliContext {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly hostName: string;
  /** Memory that this process may use, bytes. */
  readonly memoryBytes: number;
  /** The command that starts this program, without flags: `node shoal.js`. */
  readonly command: string;
  readonly outputIsTerminal: boolean;
  /** The journal of systemd reads the output: a line may begin with its priority. */
  readonly outputIsJournal: boolean;
  /** Size of the terminal now, in characters; a usual one if the output is no terminal. */
  readonly outputColumns: number;
  readonly outputRows: number;
  /** A person watches standard error: it may show progress. */
  readonly errorIsTerminal: boolean;
  /** @param output bytes go out as they are */
  write(output: string | Buffer): void;
  writeError(text: string): void;
  /** Writes without waiting. @returns false if the output takes no more now, and the line is lost */
  writeLog(line: string): boolean;
  /** @throws as fs.readFileSync does */
  readFile(path: string): string;
  /** The names of the files in a folder. @throws as fs.readdirSync does */
  listFolder(path: string): readonly string[];
  /** All of standard input. */
  readInput(): Promise<string>;
  /** Standard input as it comes. */
  readonly input: AsyncIterable<Buffer>;
  /**
   * Passes on single keys that are typed, without echo; Ctrl-C is one of them. Without a terminal no key comes.
   * @returns gives the terminal back
   */
  onKey(handler: (key: string) => void): () => void;
  /** The reader of the output has gone: what else is written is lost. */
  onOutputClosed(handler: () => void): void;
  /** Asks on the terminal without echo. */
  askSecret(question: string): Promise<string>;
  /** Replaces an earlier handler of the signal. */
  onSignal(signal: NodeJS.Signals, handler: () => void): void;
  /** Ends the process at once. */
  exit(code: ExitCode): void;
  /** The result of the command; the command sets it. */
  exitCode: ExitCode;
}
