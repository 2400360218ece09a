// For `shoal check`: does to the data folder what a start would do, and leaves nothing of it behind.

import { existsSync } from 'node:fs';
import { readdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeSystemError } from '../shared/describe-system-error.ts';
import { makeDataFolder } from './data-folder.ts';
import { FolderDisk } from './disk.ts';
import { lockFolder } from './folder-lock.ts';
import { checkHeaders } from './loader.ts';
import { WRITE_FAILURE } from './write-failure-log.ts';

const PROBE = 'check.tmp';
/** A block of most file systems: a full one has no room for it. */
const PROBE_BYTES = 4096;

/**
 * Rejects with DataPathError or StorageError if a node would not start with the folder.
 * @param isHeld the node of this folder runs: its lock is no fault
 * @returns why changes can't be written now, as on a full disk, which keeps no node from starting
 */
export async function tryFolder(folder: string, isHeld: boolean): Promise<string | undefined> {
  const isNew = !existsSync(folder);
  makeDataFolder(folder);
  try {
    if (!isHeld) await (await lockFolder(folder)).release();
    checkHeaders(new FolderDisk(folder));
    return await probe(join(folder, PROBE));
  } finally {
    if (isNew) await removeUnused(folder);
  }
}

/** @returns why it can't be written */
async function probe(path: string): Promise<string | undefined> {
  try {
    // One that a check left when it was killed.
    await rm(path, { force: true });
    await writeFile(path, Buffer.alloc(PROBE_BYTES), { flag: 'wx', mode: 0o600, flush: true });
    return undefined;
  } catch (error) {
    return `${WRITE_FAILURE}: ${describeSystemError(error, 'write')}`;
  } finally {
    await rm(path, { force: true });
  }
}

/** Removes a new folder with its dead locks; keeps what another process has put there meanwhile. */
export async function removeUnused(folder: string): Promise<void> {
  const names = await readdir(folder);
  if (!names.every((name) => name.startsWith('lock.'))) return;
  for (const name of names) await rm(join(folder, name));
  await rmdir(folder);
}
