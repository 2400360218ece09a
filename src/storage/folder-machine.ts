// The machine that a data folder was last used on. A folder that comes from another one is a copy, or belongs
// to a box that replaces that machine: if the node name is in use, it is the copy.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../shared/logger.ts';

const FILE = 'machine';
/** A node that has run for this time was not refused as the second one of its name. */
const SETTLED_MS = 60_000;

/**
 * Writes the mark into the folder: at once, or in one that comes from another machine after a minute.
 * @param mark of this machine; undefined where it has none
 * @returns whether the folder comes from another machine
 */
export function isFolderMoved(folder: string, mark: string | undefined, log: Logger): boolean {
  if (mark === undefined) return false;
  const path = join(folder, FILE);
  const last = access(() => readFileSync(path, 'utf8').trim());
  if (last === mark) return false;
  const write = (): void => access(() => writeFileSync(path, `${mark}\n`, { mode: 0o600 }));
  // A full disk leaves the file empty.
  if (last === undefined || last === '') {
    write();
    return false;
  }
  log.info('the data folder was last used on another machine', { folder });
  setTimeout(write, SETTLED_MS).unref();
  return true;
}

/** Undefined if it fails: the mark only explains, and the journal reports a disk that fails. */
function access<T>(step: () => T): T | undefined {
  try {
    return step();
  } catch {
    return undefined;
  }
}
