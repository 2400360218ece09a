// The inputs in test/fuzz/corpus: for each target a folder with small files. A file is the least input of its kind, of a
// fault that was found (`fault-`), or reaches code that the others do not (`cover-`).

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const FOLDER = join(import.meta.dirname, '..', 'corpus');
const NAME_CHARACTERS = 12;
const COVER = 'cover-';
/** Of one target: a corpus stays small enough to be read. */
const COVER_MAX = 12;

/** In the order of their names. */
export function readCorpus(target: string): Buffer[] {
  return filesOf(target).map((path) => readFileSync(path));
}

/** The corpus without the inputs that keepCover() has kept. */
export function readKinds(target: string): Buffer[] {
  const kinds = filesOf(target).filter((path) => !basename(path).startsWith(COVER));
  return kinds.map((path) => readFileSync(path));
}

/** Keeps the input of a fault. @returns the path of the file */
export function keepFault(target: string, input: Buffer): string {
  return keep(target, 'fault-', input);
}

/** Keeps these inputs in place of those that it has kept before. */
export function keepCover(target: string, inputs: readonly Buffer[]): void {
  for (const path of filesOf(target)) if (basename(path).startsWith(COVER)) rmSync(path);
  for (const input of inputs.slice(0, COVER_MAX)) keep(target, COVER, input);
}

function filesOf(target: string): string[] {
  const folder = join(FOLDER, target);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .map((name) => join(folder, name));
}

function keep(target: string, prefix: string, input: Buffer): string {
  const folder = join(FOLDER, target);
  mkdirSync(folder, { recursive: true });
  const hash = createHash('sha256').update(input).digest('hex').slice(0, NAME_CHARACTERS);
  const path = join(folder, `${prefix}${hash}`);
  writeFileSync(path, input);
  return path;
}
