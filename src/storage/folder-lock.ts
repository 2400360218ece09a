// Admits one process at a time to a data folder. The lock is a Unix socket in the folder on which its
// holder listens: the system closes it when the process ends, however that happens, and a newcomer
// connects to find out whether the holder lives. Unlike a file with a process id, this works between
// containers that share the folder, and a reused process id cannot deceive it.
//
// Each holder takes the next number, and link(2) grants a number only once. A dead lock stays until a
// later holder has taken its own number, so that two newcomers cannot both replace it.

import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chown, type FileHandle, link, open, readdir, rm, stat } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { describeSystemError } from '../shared/describe-system-error.ts';
import { StorageError } from './storage-error.ts';

const NAME = /^lock\.(\d+)$/;
const CANDIDATE = /^lock-new\./;
/** Length of a socket path that every system accepts. */
const SOCKET_PATH_BYTES_MAX = 100;
const CANDIDATE_NAME = 'lock-new.0123456789abcdef';
const TRIES_MAX = 100;
/** A holder that does not answer in this time is stopped or very busy, and still a holder. */
const ANSWER_MS_MAX = 500;

/** Errors of this process, which say nothing about another one. */
const OWN_ERRORS = ['EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS'];

export interface FolderLock {
  release(): Promise<void>;
}

/** Rejects with StorageError if another process holds the folder. */
export async function lockFolder(folder: string): Promise<FolderLock> {
  // A descriptor of the folder gives a long path a short name.
  const isLong = Buffer.byteLength(join(folder, CANDIDATE_NAME)) > SOCKET_PATH_BYTES_MAX;
  const handle = isLong && existsSync('/proc/self/fd') ? await openFolder(folder) : undefined;
  const path = handle === undefined ? folder : `/proc/self/fd/${handle.fd}`;
  const candidate = `lock-new.${randomBytes(8).toString('hex')}`;
  let server: Server | undefined;
  try {
    server = await listen(join(path, candidate), folder);
    await giveToOwner(path, candidate);
    await claim(path, candidate, folder);
    await rm(join(path, candidate), { force: true });
  } catch (error) {
    server?.close();
    await handle?.close();
    throw error instanceof StorageError ? error : notLockable(folder, error);
  }
  const held = server;
  return {
    release: async () => {
      await new Promise((closed) => held.close(closed));
      await handle?.close();
    },
  };
}

/** root restores the folder of a service, whose user then has to find out that the lock is dead. */
async function giveToOwner(path: string, candidate: string): Promise<void> {
  if (process.geteuid?.() !== 0) return;
  const { uid, gid } = await stat(path);
  await chown(join(path, candidate), uid, gid);
}

/** Resolves when the candidate's socket has the highest number and no other holder lives. */
async function claim(path: string, candidate: string, folder: string): Promise<void> {
  for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
    const numbers = await lockNumbers(path);
    for (const number of numbers) {
      if (await isAlive(join(path, `lock.${number}`))) throw inUse(folder);
    }
    const mine = Math.max(0, ...numbers) + 1;
    if (!(await tryLink(join(path, candidate), join(path, `lock.${mine}`)))) continue;
    const others = (await lockNumbers(path)).filter((number) => number !== mine);
    if (others.some((number) => number > mine)) {
      // Another holder came and went meanwhile, so our number is outdated.
      await rm(join(path, `lock.${mine}`), { force: true });
      continue;
    }
    for (const number of others) await rm(join(path, `lock.${number}`), { force: true });
    await removeDeadCandidates(path, candidate);
    return;
  }
  throw inUse(folder);
}

function inUse(folder: string): StorageError {
  return new StorageError(
    `${folder} is in use by another running Shoal; stop that one, or give this one its own folder with -data`,
  );
}

async function lockNumbers(path: string): Promise<number[]> {
  return (await readdir(path)).flatMap((name) => {
    const digits = NAME.exec(name)?.[1];
    return digits === undefined ? [] : [Number(digits)];
  });
}

/** @returns false if the name is taken */
async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Removes the candidates of processes that were killed while they claimed the folder. */
async function removeDeadCandidates(path: string, ours: string): Promise<void> {
  for (const name of await readdir(path)) {
    if (!CANDIDATE.test(name) || name === ours || (await isAlive(join(path, name)))) continue;
    await rm(join(path, name), { force: true });
  }
}

function listen(path: string, folder: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.on('error', () => undefined).end('here'));
    server.on('error', (error) => {
      reject(notLockable(folder, error));
    });
    // The lock alone must not keep the process alive.
    server.listen(path, () => resolve(server.unref()));
  });
}

async function openFolder(folder: string): Promise<FileHandle> {
  try {
    return await open(folder, 'r');
  } catch (error) {
    throw notLockable(folder, error);
  }
}

function notLockable(folder: string, error: unknown): StorageError {
  const reason = describeSystemError(error, 'write');
  return new StorageError(`the data folder ${folder} cannot be locked: ${reason}`);
}

/** Rejects with the system's error if this process has no means to find out. */
function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const end = (isHeld: boolean): void => {
      socket.destroy();
      resolve(isHeld);
    };
    socket.setTimeout(ANSWER_MS_MAX, () => end(true));
    socket.on('connect', () => end(true));
    // Any other error shows a live holder: a socket of another user, or a full backlog.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const { code = '' } = error;
      if (OWN_ERRORS.includes(code)) reject(error);
      else end(code !== 'ECONNREFUSED' && code !== 'ENOENT');
    });
  });
}
