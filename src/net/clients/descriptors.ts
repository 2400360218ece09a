// File descriptors of this process: how many it may open, how many client sockets that leaves, and
// whether any is left. Nothing here throws, and nothing starts a child process.
// Invariant: client sockets never take the reserve, which logs, certificates, datagrams and name
// lookups need.

import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';

/** Where the system does not count them: standard streams, the event loop, UDP and TCP sockets, a journal. */
const OPEN_AT_START = 32;
const RESERVE_MIN = 16;
const RESERVE_MAX = 128;
/** The reserve is this part of the limit. */
const RESERVE_SHARE = 1 / 16;
/** Some clients are served even where the limit is absurdly low. */
const SOCKETS_MIN = 4;

export interface DescriptorLimit {
  /** Descriptors that the process may have open; Infinity where the system sets no limit. */
  readonly descriptors: number;
  /** Client sockets that may be open at a time. */
  readonly socketsMax: number;
  /** Kept free for everything else. */
  readonly reserve: number;
}

/** Call it when everything but client sockets is open. */
export function readDescriptorLimit(): DescriptorLimit {
  return shareOut(softLimit(), countOpen());
}

/** @param open descriptors that are in use already */
export function shareOut(descriptors: number, open: number): DescriptorLimit {
  const share = Math.floor(descriptors * RESERVE_SHARE);
  const reserve = Math.min(Math.max(share, RESERVE_MIN), RESERVE_MAX);
  const socketsMax = Math.max(descriptors - open - reserve, SOCKETS_MIN);
  return { descriptors, socketsMax, reserve };
}

/** False when the process or the system has no descriptor left. */
export function hasFreeDescriptor(): boolean {
  if (process.platform === 'win32') return true;
  try {
    closeSync(openSync('/dev/null', 'r'));
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code !== 'EMFILE' && code !== 'ENFILE';
  }
}

function softLimit(): number {
  try {
    const line = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
    return line === null ? Number.POSITIVE_INFINITY : Number(line[1]);
  } catch {
    return reportedLimit();
  }
}

/** Systems without /proc. */
function reportedLimit(): number {
  try {
    const report = process.report.getReport() as {
      readonly userLimits?: { readonly open_files?: { readonly soft?: unknown } };
    };
    const limit = Number(report.userLimits?.open_files?.soft);
    return limit > 0 ? limit : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

function countOpen(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return OPEN_AT_START;
  }
}
