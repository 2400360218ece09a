// Where the control socket of a node is: a Unix socket in a runtime folder, named after the node, or a
// named pipe on Windows. The node and the commands compute the same path. Pure: the facts of the machine
// are arguments. Source: systemd.exec(5) for RUNTIME_DIRECTORY, XDG Base Directory for XDG_RUNTIME_DIR.

import { createHash } from 'node:crypto';

export interface ControlHost {
  readonly platform: NodeJS.Platform;
  /** Undefined on Windows. */
  readonly userId: number | undefined;
  readonly temporaryFolder: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

const SUFFIX = '.sock';
const PIPE_PREFIX = '\\\\.\\pipe\\';
const PIPE_NAME = 'shoal-';
/** sun_path takes 104 bytes on macOS and 108 on Linux; the folder needs its share. */
const NAME_BYTES_MAX = 48;

/** The folder in which a node of this user creates its socket; on Windows the prefix of its pipe. */
export function controlFolder({
  platform,
  userId,
  temporaryFolder,
  environment,
}: ControlHost): string {
  if (platform === 'win32') return PIPE_PREFIX;
  // systemd gives several folders separated by colons.
  const [service = ''] = (environment.RUNTIME_DIRECTORY ?? '').split(':');
  if (service !== '') return service;
  if (userId === 0) return systemFolder(platform);
  const { XDG_RUNTIME_DIR: runtime = '' } = environment;
  return runtime === '' ? `${temporaryFolder}/shoal-${userId}` : `${runtime}/shoal`;
}

/** Where a command looks: in its user's folder first, then where root and services have theirs. */
export function controlFolders(host: ControlHost): readonly string[] {
  return host.platform === 'win32'
    ? [PIPE_PREFIX]
    : [...new Set([controlFolder(host), systemFolder(host.platform)])];
}

export function controlPath(folder: string, nodeName: string): string {
  const name = fileName(nodeName);
  return controlFile(folder, folder === PIPE_PREFIX ? PIPE_NAME + name : name + SUFFIX);
}

/** The path of a file that the listing of such a folder names. */
export function controlFile(folder: string, file: string): string {
  return folder === PIPE_PREFIX ? folder + file : `${folder}/${file}`;
}

/** @returns the node in the path of a control socket; undefined for another file */
export function nameInPath(path: string): string | undefined {
  const pattern = path.startsWith(PIPE_PREFIX) ? /\\shoal-([^\\]+)$/ : /([^/]+)\.sock$/;
  try {
    return decodeURIComponent(pattern.exec(path)?.[1] ?? '') || undefined;
  } catch {
    return undefined;
  }
}

function systemFolder(platform: NodeJS.Platform): string {
  return platform === 'darwin' ? '/var/run/shoal' : '/run/shoal';
}

/** A node name may hold a slash, and may be longer than a path of a socket. */
function fileName(nodeName: string): string {
  const encoded = encodeURIComponent(nodeName).replace(/^\./, '%2E');
  if (encoded.length <= NAME_BYTES_MAX) return encoded;
  const hash = createHash('sha256').update(nodeName).digest('hex').slice(0, 16);
  return `${encoded.slice(0, NAME_BYTES_MAX - 17).replace(/%.?$/, '')}-${hash}`;
}
