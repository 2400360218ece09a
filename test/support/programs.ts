// Which programs this machine has: tests that need others are skipped, and say what they need.

import { spawnSync } from 'node:child_process';

/** @returns why a test can't run: a program is not installed */
export function missingPrograms(...names: readonly string[]): string | false {
  const missing = names.filter(
    (name) => spawnSync('sh', ['-c', `command -v ${name}`], { stdio: 'ignore' }).status !== 0,
  );
  return missing.length > 0 && `needs ${missing.join(', ')}`;
}
