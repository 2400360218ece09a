// Replaces a file atomically: a reader, and a power cut, see the old text or the new one, never a mixture.
// Writes a new file beside it, syncs and renames it. A file that did not exist is readable only by its
// owner, because it contains password hashes; an existing one keeps its owner and mode, because a broker
// reads it.

import { randomBytes } from 'node:crypto';
import type { Stats } from 'node:fs';
import { open, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

const NEW_MODE = 0o600;
const KEPT_MODES = 0o777;

/**
 * Rejects with the system's error, or for a device or a pipe, and then leaves the file unchanged.
 * @returns true if the file did not exist before
 */
export async function replaceFile(path: string, text: string): Promise<boolean> {
  const before = await statOf(path);
  if (before !== undefined && !before.isFile() && !before.isDirectory()) {
    throw new Error('is not a regular file');
  }
  const target = before === undefined ? path : await realpath(path);
  const temporary = `${target}.${randomBytes(6).toString('hex')}.tmp`;
  const file = await open(temporary, 'wx', NEW_MODE);
  try {
    try {
      await file.writeFile(text);
      if (before !== undefined) {
        await file.chown(before.uid, before.gid);
        await file.chmod(before.mode & KEPT_MODES);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(target));
  return before === undefined;
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** A new name is on the disk only when its folder is. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
