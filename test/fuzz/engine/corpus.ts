// The inputs in test/fuzz/corpus: for each target a folder with small files, each the least input of its kind or of a fault
// that was found.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = join(import.meta.dirname, '..', 'corpus');
const NAME_CHARACTERS = 12;

/** In the order of their names. */
export function readCorpus(target: string): Buffer[] {
  const folder = join(FOLDER, target);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .map((name) => readFileSync(join(folder, name)));
}

/** Keeps the input of a fault. @returns the path of the file */
export function keepFault(target: string, input: Buffer): string {
  const folder = join(FOLDER, target);
  mkdirSync(folder, { recursive: true });
  const hash = createHash('sha256').update(input).digest('hex').slice(0, NAME_CHARACTERS);
  const path = join(folder, `fault-${hash}`);
  writeFileSync(path, input);
  return path;
}
