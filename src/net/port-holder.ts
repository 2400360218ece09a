// Names the program that has a port, for the error of a node that can't open it. Reads Linux's /proc;
// elsewhere, and for what this user may not see, the answer is less exact. Never throws.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

const UNKNOWN = 'another program';
/** State LISTEN in /proc/net/tcp. A UDP socket has no state that matters. */
const TCP_LISTEN = '0A';
/** A machine with many connections has many descriptors: this bounds the search, some 100 ms. */
const DESCRIPTORS_MAX = 200_000;

/** @returns `mosquitto (pid 123)`, `a program of user mosquitto`, or `another program` */
export function describePortHolder(protocol: 'tcp' | 'udp', port: number): string {
  const socket = findSocket(protocol, port);
  if (socket === undefined) return UNKNOWN;
  const pid = findProcess(socket.inode);
  if (pid !== undefined) return `${programOf(pid)} (pid ${pid})`;
  return `a program of user ${userName(socket.uid)}`;
}

function findSocket(
  protocol: 'tcp' | 'udp',
  port: number,
): { inode: string; uid: string } | undefined {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  for (const table of [protocol, `${protocol}6`]) {
    for (const line of readText(`/proc/net/${table}`).split('\n')) {
      const [, local, , state, , , , uid, , inode] = line.trim().split(/\s+/);
      const isBound = protocol === 'udp' || state === TCP_LISTEN;
      if (local?.endsWith(suffix) && isBound && uid !== undefined && inode !== undefined) {
        return { inode, uid };
      }
    }
  }
  return undefined;
}

function findProcess(inode: string): string | undefined {
  const wanted = `socket:[${inode}]`;
  let looked = 0;
  for (const pid of readFolder('/proc').filter((name) => /^\d+$/.test(name))) {
    for (const descriptor of readFolder(`/proc/${pid}/fd`)) {
      looked += 1;
      if (looked > DESCRIPTORS_MAX) return undefined;
      if (readLink(`/proc/${pid}/fd/${descriptor}`) === wanted) return pid;
    }
  }
  return undefined;
}

/** The command, from the command line: the kernel's own name of a process is cut to 15 characters. */
function programOf(pid: string): string {
  const [command = ''] = readText(`/proc/${pid}/cmdline`).split(/[\0 ]/);
  return basename(command) || UNKNOWN;
}

function userName(uid: string): string {
  const line = readText('/etc/passwd')
    .split('\n')
    .find((entry) => entry.split(':')[2] === uid);
  return line?.split(':')[0] ?? uid;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function readFolder(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
