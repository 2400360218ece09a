// Runs a command of the built bundle as a shell would, with its input, and keeps what it prints. For the
// integration tests of the commands.

import { spawn } from 'node:child_process';
import { BUNDLE, NODE } from './shoal-process.ts';

const COMMAND_MS_MAX = 90_000;

export interface CommandResult {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface RunningCommand {
  readonly done: Promise<CommandResult>;
  readonly pid: number | undefined;
  /** Resolves when standard output matches. Rejects if the command ends before. */
  prints(pattern: RegExp): Promise<RegExpExecArray>;
  signal(name: NodeJS.Signals): void;
}

interface CommandSettings {
  readonly input?: string | Buffer;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export function startCommand(
  args: readonly string[],
  { input = '', env = {}, cwd }: CommandSettings = {},
): RunningCommand {
  const child = spawn(NODE, [BUNDLE, ...args], {
    cwd,
    env: { PATH: process.env.PATH, HOME: '/nonexistent', ...env },
    timeout: COMMAND_MS_MAX,
    killSignal: 'SIGKILL',
  });
  let out = '';
  let err = '';
  const watchers = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    for (const look of watchers) look();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  child.stdin.on('error', () => undefined).end(input);
  const done = new Promise<CommandResult>((resolve, reject) => {
    child.on('error', reject).on('close', (code) => {
      resolve({ code, out, err });
      for (const look of watchers) look();
    });
  });
  const prints = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const match = pattern.exec(out);
        if (match !== null) resolve(match);
        else if (child.exitCode !== null)
          reject(new Error(`${pattern}: the output was\n${out}${err}`));
        else return;
        watchers.delete(look);
      };
      watchers.add(look);
      look();
    });
  return { done, pid: child.pid, prints, signal: (name) => child.kill(name) };
}

export function runCommand(
  args: readonly string[],
  settings: CommandSettings = {},
): Promise<CommandResult> {
  return startCommand(args, settings).done;
}
