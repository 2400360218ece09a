// Writes a file so that a reader sees the old text or the new one, never half of either, and a
// power cut leaves one of them: a new file beside it, on disk, then renamed. A new one holds passwords
// and is its owner's alone; one that was there keeps its owner and rights: a broker reads it.

import { randomBytes } from 'node:crypto';
import type { Stats } from 'node:fs';
import { open, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

const NEW_MODE = 0o600;
const KEPT_MODES = 0o777;

/**
 * Rejects with the system's error; the file is then as it was, as a device or a pipe is.
 * @returns whether it is new
 */
export async function replaceFile(path: string, text: string): Promise<boolean> {
  const before = await statOf(path);
  if (before !== undefined && !before.isFile() && !before.isDirectory()) {
    throw new Error('is no regular file');
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

/** The new name is on disk only when the folder is. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
