// The folder that -data names: whether it can be one, and making it. Only its last part is made: a
// slip, or a disk that is not mounted, should not fill the root with folders. (With `recursive` Node
// would also try for ever where the system has no room for folders, as under /proc.)

import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  statSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { describeSystemError } from '../shared/describe-system-error.ts';
import { DataPathError, StorageError } from './storage-error.ts';

/** @throws DataPathError where nothing of this name could be the folder, or this user may not use it */
export function checkDataFolder(folder: string): void {
  const parent = dirname(resolve(folder));
  if (isFolder(folder)) {
    checkAccess(folder, `-data=${folder}`);
    return;
  }
  if (isThere(folder)) throw new DataPathError(`-data=${folder} is a file, not a folder`);
  if (!isFolder(parent)) {
    const fault = isThere(parent) ? `${parent} is a file` : `there is no folder ${parent}`;
    throw new DataPathError(`-data=${folder} can't be made: ${fault}`);
  }
  checkAccess(parent, `-data=${folder} can't be made in ${parent}`);
}

/** @throws DataPathError, StorageError */
export function makeDataFolder(folder: string): void {
  checkDataFolder(folder);
  if (isFolder(folder)) return;
  try {
    mkdirSync(folder, { mode: 0o700 });
    syncName(folder);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StorageError(`the data folder ${folder} can't be made: ${reason}`);
  }
}

/** Without it the start would fail at the lock, whose name tells nothing. */
function checkAccess(place: string, asked: string): void {
  try {
    accessSync(place, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const { uid } = statSync(place);
    const owner = uid === 0 ? 'root' : `user ${uid}`;
    throw new DataPathError(
      `${asked}: ${describeSystemError(error, 'write')} (it belongs to ${owner})`,
    );
  }
}

/** Its name too has to outlive a power cut, with all that will be in it. */
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

function isThere(path: string): boolean {
  return statOf(path) !== undefined;
}

/** Undefined as well where we may not look; to make something there tells why. */
function statOf(path: string): ReturnType<typeof statSync> {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}
