// A CliContext without a process: records the output of a command, and sends it signals.

import type { CliContext } from '../../src/cli/context.ts';

export interface FakeContext extends CliContext {
  readonly out: string[];
  readonly err: string[];
  readonly exits: number[];
  signal(name: NodeJS.Signals): void;
}

export function fakeContext(
  given: Partial<
    Pick<
      CliContext,
      'environment' | 'outputIsTerminal' | 'outputIsJournal' | 'outputColumns' | 'errorIsTerminal'
    >
  > = {},
  input: () => AsyncIterable<Buffer> = async function* () {},
): FakeContext {
  const handlers = new Map<string, () => void>();
  const out: string[] = [];
  const err: string[] = [];
  const exits: number[] = [];
  return {
    environment: {},
    hostName: 'box7',
    memoryBytes: 1024 ** 3,
    command: 'node shoal.js',
    outputIsTerminal: false,
    outputIsJournal: false,
    outputColumns: 80,
    outputRows: 24,
    errorIsTerminal: false,
    ...given,
    out,
    err,
    exits,
    exitCode: 0,
    write: (output) => out.push(output.toString()),
    writeError: (text) => err.push(text),
    writeLog: (line) => {
      out.push(line);
      return true;
    },
    readFile: (path) => {
      throw Object.assign(new Error(`ENOENT: no such file, open '${path}'`), { code: 'ENOENT' });
    },
    listFolder: () => [],
    readInput: async () => '',
    get input() {
      return input();
    },
    onKey: () => () => undefined,
    onOutputClosed: () => undefined,
    askSecret: async () => '',
    onSignal: (signal, handler) => handlers.set(signal, handler),
    exit: (code) => exits.push(code),
    signal: (name) => handlers.get(name)?.(),
  };
}
