// One process at a time in a data folder. The lock is a Unix socket in the folder that listens as
// long as its process lives: the system closes it with the process, however that ends, and whoever
// finds the socket tries whether somebody answers. Unlike a file with a process number it holds
// between containers that share the folder, and a number that was given out again can't fool it.

import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { StorageError } from './storage-error.ts';

const LOCK_NAME = 'lock';
/** Longest path of a socket that every system takes. */
const SOCKET_PATH_BYTES_MAX = 100;
const TRIES_MAX = 5;
/** A holder that is stopped or very busy is a holder all the same. */
const ANSWER_MS_MAX = 500;

export interface FolderLock {
  release(): Promise<void>;
}

/** @throws StorageError where another process has the folder */
export async function lockFolder(folder: string): Promise<FolderLock> {
  // A long path is reached through a descriptor of the folder; the name is then short.
  const long = Buffer.byteLength(join(folder, LOCK_NAME)) > SOCKET_PATH_BYTES_MAX;
  const handle = long && existsSync('/proc/self/fd') ? await open(folder, 'r') : undefined;
  const place = handle === undefined ? folder : `/proc/self/fd/${handle.fd}`;
  try {
    const server = await claim(join(place, LOCK_NAME), folder);
    return {
      release: () =>
        new Promise((resolve) => {
          // Closing removes the socket's name too.
          server.close(() => {
            void handle?.close();
            resolve();
          });
        }),
    };
  } catch (error) {
    await handle?.close();
    throw error;
  }
}

async function claim(path: string, folder: string): Promise<Server> {
  const id = randomBytes(8).toString('hex');
  for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
    const server = await listen(path, id);
    if (server !== undefined) {
      // Whoever cleared a stale lock in the same moment may have taken ours for it.
      if ((await ask(path)) === id) return server;
      server.close();
    } else if ((await ask(path)) !== undefined) {
      break;
    } else {
      await removeStale(path);
    }
  }
  throw new StorageError(
    `${folder} is in use by another running Shoal; stop it, or give this one a folder of its own with -data`,
  );
}

/** @returns undefined where there is a socket of that name */
function listen(path: string, id: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.on('error', () => undefined).end(id));
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(new StorageError(`the lock ${path} can't be made: ${error.message}`));
    });
    // Not what keeps the process alive.
    server.listen(path, () => resolve(server.unref()));
  });
}

/** @returns what the holder answers, '' if it is there and says nothing, undefined if nobody is */
function ask(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(path);
    socket.setEncoding('utf8').setTimeout(ANSWER_MS_MAX, () => {
      socket.destroy();
      resolve(answer);
    });
    socket.on('data', (text: string) => {
      answer += text;
    });
    socket.on('end', () => resolve(answer));
    socket.on('error', () => resolve(undefined));
  });
}

/** Moved first, so that what is removed is what was found dead, not a lock that has come since. */
async function removeStale(path: string): Promise<void> {
  const aside = `${path}.${process.pid}`;
  try {
    await rename(path, aside);
    if ((await ask(aside)) !== undefined) await rename(aside, path);
    else await rm(aside, { force: true });
  } catch {
    // Another one was faster; the next try tells.
  }
}
