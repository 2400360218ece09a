// Other programs that tests run. A test whose programs this machine lacks is skipped, and says what it needs.

import { execFile, spawnSync } from 'node:child_process';

/** @returns why a test can't run: a program is not installed */
export function missingPrograms(...names: readonly string[]): string | false {
  const missing = names.filter(
    (name) => spawnSync('sh', ['-c', `command -v ${name}`], { stdio: 'ignore' }).status !== 0,
  );
  return missing.length > 0 && `needs ${missing.join(', ')}`;
}

/** Runs a program until it exits. @returns its exit code, and both outputs together */
export function runToEnd(
  program: string,
  ...args: readonly string[]
): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: 60_000 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, output: stdout + stderr });
    });
  });
}
