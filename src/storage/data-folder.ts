// Checks and creates the folder named by -data. Only the last part of the path is created: a typing
// error, or a disk that is not mounted, must not fill the root file system with folders. (With
// `recursive`, Node would also retry forever where the system cannot create folders, as under /proc.)

import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  statSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { describeSystemError } from '../shared/describe-system-error.ts';
import { DataPathError, StorageError } from './storage-error.ts';

/** @throws DataPathError if the path cannot be a folder, or this user may not use it */
export function checkDataFolder(folder: string): void {
  const parent = dirname(resolve(folder));
  if (isFolder(folder)) {
    checkLink(folder);
    checkAccess(folder, `-data=${folder}`);
    return;
  }
  if (exists(folder)) throw new DataPathError(`-data=${folder} is a file, not a folder`);
  if (!isFolder(parent)) {
    const fault = exists(parent) ? `${parent} is a file` : `there is no folder ${parent}`;
    throw new DataPathError(`-data=${folder} cannot be created: ${fault}`);
  }
  checkAccess(parent, `-data=${folder} cannot be created in ${parent}`);
}

/** @throws DataPathError, StorageError */
export function makeDataFolder(folder: string): void {
  checkDataFolder(folder);
  if (isFolder(folder)) return;
  try {
    mkdirSync(folder, { mode: 0o700 });
    syncName(folder);
  } catch (error) {
    const reason = describeSystemError(error, 'write');
    throw new StorageError(`the data folder ${folder} cannot be created: ${reason}`);
  }
}

/** Without this check the start would fail at the lock, with an error that does not name the cause. */
function checkAccess(path: string, subject: string): void {
  try {
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const { uid } = statSync(path);
    const owner = uid === 0 ? 'root' : `user ${uid}`;
    throw new DataPathError(
      `${subject}: ${describeSystemError(error, 'write')} (it belongs to ${owner})`,
    );
  }
}

/** Refuses a link of another user, who could lead the data elsewhere (as fs.protected_symlinks does). */
function checkLink(folder: string): void {
  const link = lstatSync(folder);
  const isForeign = link.uid !== 0 && link.uid !== process.getuid?.();
  if (link.isSymbolicLink() && process.getuid !== undefined && isForeign) {
    throw new DataPathError(
      `-data=${folder} is a symbolic link of user ${link.uid}; give the folder itself`,
    );
  }
}

/** Makes the new folder's name survive a power cut, and with it everything in the folder. */
function syncName(folder: string): void {
  const parent = openSync(dirname(resolve(folder)), 'r');
  try {
    fsyncSync(parent);
  } finally {
    closeSync(parent);
  }
}

function isFolder(path: string): boolean {
  return statOf(path)?.isDirectory() === true;
}

function exists(path: string): boolean {
  return statOf(path) !== undefined;
}

/** Also undefined if this user may not look there; creating something there gives the reason. */
function statOf(path: string): ReturnType<typeof statSync> {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}
