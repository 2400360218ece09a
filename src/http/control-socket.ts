// Opens the control socket: creates its folder for the owner alone, replaces the file that a crashed node
// left behind, and never takes the place of a node that runs.

import { chmodSync, lstatSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { describeSystemError } from '../shared/describe-system-error.ts';
import { HttpServer, type HttpServerParts } from './http-server.ts';

const FOLDER_MODE = 0o700;
const SOCKET_UMASK = 0o177;

/** The control socket can't be opened. The message says why, and what to change. */
export class ControlSocketError extends Error {
  override readonly name = 'ControlSocketError';
}

/** Rejects with ControlSocketError. @param path as controlPath() gives it, or of -control */
export async function openControlSocket(parts: HttpServerParts, path: string): Promise<HttpServer> {
  const isPipe = process.platform === 'win32';
  try {
    if (!isPipe) prepareFolder(dirname(path));
    if (!isPipe) await removeStale(path);
    return await listenForOwner(parts, path);
  } catch (error) {
    if (error instanceof ControlSocketError) throw error;
    const fault = error as NodeJS.ErrnoException;
    const why =
      fault.code === 'EADDRINUSE'
        ? 'another node of this name runs here; choose another -nid or -control'
        : `${describeSystemError(fault, 'write')}; choose another path with -control`;
    throw new ControlSocketError(`${path}: ${why}`);
  }
}

/** A folder that others can write to would let them put their socket in the place of ours. */
function prepareFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
  const { uid, mode } = lstatSync(folder);
  const isOwn = uid === process.getuid?.() || uid === 0;
  const isSticky = (mode & 0o1000) !== 0;
  if (isOwn && ((mode & 0o022) === 0 || isSticky)) return;
  throw new ControlSocketError(
    `${folder}: other users may write to it; chmod 700 ${folder}, or choose another -control`,
  );
}

/**
 * The file is moved away first, because another start may do the same at this moment: only one of them
 * moves it. If the socket turns out to be alive, it gets its path back.
 */
async function removeStale(path: string): Promise<void> {
  if (await isAnswered(path)) {
    throw Object.assign(new Error('in use'), { code: 'EADDRINUSE' });
  }
  const aside = `${path}.${process.pid}`;
  try {
    if (!lstatSync(path).isSocket()) {
      throw new ControlSocketError(`${path}: exists and is no socket; choose another -control`);
    }
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if (await isAnswered(aside)) renameSync(aside, path);
  else rmSync(aside, { force: true });
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const done = (is: boolean) => (): void => {
      socket.destroy();
      resolve(is);
    };
    socket.once('connect', done(true));
    socket.once('error', done(false));
  });
}

async function listenForOwner(parts: HttpServerParts, path: string): Promise<HttpServer> {
  if (process.platform === 'win32') return HttpServer.open(parts, { path });
  // node:net binds at once, inside of the call: no other file is created under this mask.
  const before = process.umask(SOCKET_UMASK);
  let opening: Promise<HttpServer>;
  try {
    opening = HttpServer.open(parts, { path });
  } finally {
    process.umask(before);
  }
  const server = await opening;
  chmodSync(path, 0o600);
  return server;
}
