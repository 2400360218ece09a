// Runs the load generator as a process on its own core.

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { GENERATOR_CORE } from './clock.ts';
import { withDescriptors } from './descriptors.ts';
import type { Load, LoadResult } from './types.ts';

const generator = join(import.meta.dirname, 'generator.ts');

export interface RunningLoad {
  /** Resolves with the generator's figures. */
  readonly result: Promise<LoadResult>;
  readonly pid: number;
  /** Ends an idle load, which holds its connections until then. */
  stop(): void;
}

export function startLoad(load: Load): RunningLoad {
  const [program, ...args] = withDescriptors([
    ...['taskset', '-c', String(GENERATOR_CORE), process.execPath],
    ...['--import', 'tsx', generator, JSON.stringify(load)],
  ]);
  const child: ChildProcessByStdio<Writable, Readable, null> = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const result = new Promise<LoadResult>((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
      if (text.endsWith('\n')) resolve(JSON.parse(text));
    });
    child.once('exit', (code) => code !== 0 && reject(new Error(`generator ended with ${code}`)));
  });
  return { result, pid: child.pid ?? 0, stop: () => child.kill('SIGKILL') };
}
