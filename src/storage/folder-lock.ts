// One process at a time in a data folder. The lock is a Unix socket in the folder that listens as
// long as its process lives: the system closes it with the process, however that ends, and whoever
// finds it asks whether somebody is there. Unlike a file with a process number it holds between
// containers that share the folder, and a number that was given out again can't fool it.
//
// Each holder's lock has the next number, and `link` gives a number once. A dead lock is left where
// it is until a later holder has come: so a number that was found dead can't be taken by two.

import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { link, open, readdir, rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { StorageError } from './storage-error.ts';

const NAME = /^lock\.(\d+)$/;
const CANDIDATE = /^lock-new\./;
/** Longest path of a socket that every system takes. */
const SOCKET_PATH_BYTES_MAX = 100;
const CANDIDATE_NAME = 'lock-new.0123456789abcdef';
const TRIES_MAX = 100;
/** A holder that is stopped or very busy is a holder all the same. */
const ANSWER_MS_MAX = 500;

export interface FolderLock {
  release(): Promise<void>;
}

/** @throws StorageError where another process has the folder */
export async function lockFolder(folder: string): Promise<FolderLock> {
  // A long path is reached through a descriptor of the folder; the name is then short.
  const isLong = Buffer.byteLength(join(folder, CANDIDATE_NAME)) > SOCKET_PATH_BYTES_MAX;
  const handle = isLong && existsSync('/proc/self/fd') ? await open(folder, 'r') : undefined;
  const place = handle === undefined ? folder : `/proc/self/fd/${handle.fd}`;
  const candidate = `lock-new.${randomBytes(8).toString('hex')}`;
  let server: Server | undefined;
  try {
    server = await listen(join(place, candidate), folder);
    await claim(place, candidate, folder);
    await rm(join(place, candidate), { force: true });
  } catch (error) {
    server?.close();
    await handle?.close();
    throw error;
  }
  const held = server;
  return {
    release: async () => {
      await new Promise((closed) => held.close(closed));
      await handle?.close();
    },
  };
}

/** Resolves when the candidate's socket has a number, and nobody else has one and lives. */
async function claim(place: string, candidate: string, folder: string): Promise<void> {
  for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
    const numbers = await lockNumbers(place);
    for (const number of numbers) {
      if (await isAlive(join(place, `lock.${number}`))) throw inUse(folder);
    }
    const mine = Math.max(0, ...numbers) + 1;
    if (!(await tryLink(join(place, candidate), join(place, `lock.${mine}`)))) continue;
    const others = (await lockNumbers(place)).filter((number) => number !== mine);
    if (others.some((number) => number > mine)) {
      // We slept through the life of another holder, and our number is of the past.
      await rm(join(place, `lock.${mine}`), { force: true });
      continue;
    }
    for (const number of others) await rm(join(place, `lock.${number}`), { force: true });
    await removeDeadCandidates(place, candidate);
    return;
  }
  throw inUse(folder);
}

function inUse(folder: string): StorageError {
  return new StorageError(
    `${folder} is in use by another running Shoal; stop it, or give this one a folder of its own with -data`,
  );
}

async function lockNumbers(place: string): Promise<number[]> {
  return (await readdir(place)).flatMap((name) => {
    const digits = NAME.exec(name)?.[1];
    return digits === undefined ? [] : [Number(digits)];
  });
}

/** @returns false where the name is taken */
async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Left by processes that were killed while they asked. */
async function removeDeadCandidates(place: string, ours: string): Promise<void> {
  for (const name of await readdir(place)) {
    if (!CANDIDATE.test(name) || name === ours || (await isAlive(join(place, name)))) continue;
    await rm(join(place, name), { force: true });
  }
}

function listen(path: string, folder: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.on('error', () => undefined).end('here'));
    server.on('error', (error) => {
      reject(new StorageError(`the data folder ${folder} can't be locked: ${error.message}`));
    });
    // Not what keeps the process alive.
    server.listen(path, () => resolve(server.unref()));
  });
}

function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (isThere: boolean): void => {
      socket.destroy();
      resolve(isThere);
    };
    socket.setTimeout(ANSWER_MS_MAX, () => end(true));
    socket.on('connect', () => end(true));
    // Any other fault, of a socket of another user's or with a full backlog, shows that it is there.
    socket.on('error', ({ code }: NodeJS.ErrnoException) =>
      end(code !== 'ECONNREFUSED' && code !== 'ENOENT'),
    );
  });
}
