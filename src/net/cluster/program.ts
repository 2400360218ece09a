// Runs a program of the system, such as `ip`, for the time that it may take.

import { execFile } from 'node:child_process';

const PROGRAM_MS_MAX = 3000;

/** Rejects with what the program says. */
export function run(program: string, words: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, words, { timeout: PROGRAM_MS_MAX }, (error, output, complaint) => {
      if (error === null) resolve(output);
      else reject(complaint.trim() === '' ? error : new Error(complaint.trim()));
    });
  });
}
