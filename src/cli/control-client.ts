// Asks the node that runs on this machine, over its control socket. Finds the socket by the name of the
// node, or takes the one node that runs here. Knows no route.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { text } from 'node:stream/consumers';
import { controlHost } from '../net/control-host.ts';
import {
  type ControlHost,
  controlFile,
  controlFolders,
  controlPath,
  nameInPath,
} from '../shared/control-path.ts';
import { describeSystemError } from '../shared/describe-system-error.ts';

const ANSWER_MS_MAX = 30_000;

/** No node answers on this machine, or several do. The message says what to do. */
export class NoNodeError extends Error {
  override readonly name = 'NoNodeError';
}

/** The node refused the request. The message is its sentence. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly status: number;

  constructor(status: number, detail: string) {
    super(detail);
    this.status = status;
  }
}

export interface ControlRequest {
  readonly method?: string;
  /** With the query, as `/api/v1/nodes?node=box2`. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
}

/** How the user names a node of this machine; both undefined for the only one. */
export interface NodeChoice {
  readonly nodeName: string | undefined;
  /** -control, if it is a path. */
  readonly controlPath: string | undefined;
}

export class ControlClient {
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** Whether a node listens there, also one of another user. */
  isAnswered(): Promise<boolean> {
    return isAnswered(this.#socketPath);
  }

  /**
   * @returns the parsed JSON, or the text of a response that is not JSON
   * Rejects with RefusedError, or with NoNodeError if the node does not answer.
   */
  async ask(wanted: ControlRequest): Promise<unknown> {
    const message = await this.open(wanted);
    const body = await text(message);
    const isJson = (message.headers['content-type'] ?? '').endsWith('json');
    const value: unknown = isJson ? JSON.parse(body) : body;
    const { statusCode = 0 } = message;
    if (statusCode < 400 || !isProblem(message)) return value;
    const { detail = body } = value as { detail?: string };
    throw new RefusedError(statusCode, detail);
  }

  /** The response as a stream, for server-sent events. Rejects with NoNodeError. */
  open({ method = 'GET', path, body }: ControlRequest): Promise<IncomingMessage> {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const headers = payload === undefined ? {} : { 'content-type': 'application/json' };
      const socketPath = this.#socketPath;
      const outgoing = request(
        { socketPath, method, path, headers, timeout: ANSWER_MS_MAX },
        resolve,
      );
      outgoing.on('timeout', () => outgoing.destroy(new NoNodeError('the node does not answer')));
      outgoing.on('error', (error) => reject(this.#explain(error)));
      outgoing.end(payload);
    });
  }

  #explain(error: NodeJS.ErrnoException): Error {
    if (error instanceof NoNodeError) return error;
    const why: Readonly<Record<string, string>> = {
      ENOENT: 'no node runs here',
      ECONNREFUSED: 'the node that had it has ended',
      EACCES: `the node belongs to ${ownerOf(this.#socketPath)}; try sudo`,
    };
    const text = why[error.code ?? ''] ?? describeSystemError(error, 'network');
    return new NoNodeError(`${this.#socketPath}: ${text}`);
  }
}

/** Rejects with NoNodeError. */
export async function findNode(choice: NodeChoice): Promise<ControlClient> {
  if (choice.controlPath !== undefined) return new ControlClient(choice.controlPath);
  const host = controlHost();
  const { sockets, forbidden } = listSockets(host);
  if (choice.nodeName !== undefined) {
    const paths = controlFolders(host).map((folder) => controlPath(folder, choice.nodeName ?? ''));
    const path = paths.find((one) => sockets.includes(one)) ?? paths[0] ?? '';
    return new ControlClient(path);
  }
  // A node that crashed leaves its file behind.
  const answers = await Promise.all(sockets.map(isAnswered));
  const alive = sockets.filter((_, index) => answers[index]);
  const [only, ...more] = alive;
  if (only !== undefined && more.length === 0) return new ControlClient(only);
  if (only !== undefined) {
    const names = alive.map((path) => `-nid=${nameInPath(path)}`).join(' or ');
    throw new NoNodeError(`several nodes run on this machine: choose one with ${names}`);
  }
  if (forbidden !== undefined) {
    const owner = ownerOf(forbidden);
    throw new NoNodeError(`no node of this user runs here; ${forbidden} is ${owner}'s: try sudo`);
  }
  const places = controlFolders(host).join(' or ');
  throw new NoNodeError(
    `no node runs on this machine: no control socket in ${places}; -control=PATH names one elsewhere`,
  );
}

function listSockets(host: ControlHost): { sockets: string[]; forbidden: string | undefined } {
  const sockets: string[] = [];
  let forbidden: string | undefined;
  for (const folder of controlFolders(host)) {
    try {
      const files = readdirSync(folder).map((file) => controlFile(folder, file));
      sockets.push(...files.filter((path) => nameInPath(path) !== undefined));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EACCES') forbidden ??= folder;
    }
  }
  return { sockets, forbidden };
}

/** The user of a socket, or of the first folder above it that may be looked at: `root`, `user 998`. */
function ownerOf(path: string): string {
  try {
    const { uid } = statSync(path);
    const [, name] = new RegExp(`^([^:]+):[^:]*:${uid}:`, 'm').exec(passwd()) ?? [];
    return name ?? `user ${uid}`;
  } catch {
    return path === dirname(path) ? 'another user' : ownerOf(dirname(path));
  }
}

/** Empty where the system has no such file. */
function passwd(): string {
  try {
    return readFileSync('/etc/passwd', 'utf8');
  } catch {
    return '';
  }
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(true));
    // One that may not be opened belongs to another user's node: choosing it says so.
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code === 'EACCES'));
    socket.once('connect', () => socket.destroy());
  });
}

function isProblem({ headers }: IncomingMessage): boolean {
  return headers['content-type'] === 'application/problem+json';
}
