// How the process ends, for unit files and scripts; docs/cli.md tells the same. Turns any error
// into its code and into a sentence for the user.

import { ConfigError } from '../config/load.ts';
import { NameInUseError } from '../net/gossip.ts';
import { BindError } from '../net/udp.ts';

export const exitCodes = {
  /** Ended as asked. */
  ok: 0,
  /** Something went wrong while running. */
  failure: 1,
  /** The command line or the configuration is wrong; starting again won't help. */
  usage: 2,
  /** An address or port can't be used. */
  address: 3,
  /** Another node of the cluster has this name. */
  nameInUse: 4,
} as const;

export type ExitCode = number;

/** The command line is wrong, in a way that commander doesn't see. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** As node:net reports that a listener could not be opened. */
interface ListenError extends Error {
  readonly code: string;
  readonly address?: string;
  readonly port?: number;
}

const LISTEN_FAULTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is in use by another program; choose another port with -port',
  EACCES: 'may not be opened by this user; choose a port above 1023 with -port',
  EADDRNOTAVAIL: "can't be opened: no interface has this address; change -bind",
};

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof ConfigError || error instanceof UsageError) return exitCodes.usage;
  if (error instanceof NameInUseError) return exitCodes.nameInUse;
  if (error instanceof BindError || isListenError(error)) return exitCodes.address;
  return exitCodes.failure;
}

/** @returns lines without a line end */
export function explainError(error: unknown): readonly string[] {
  if (error instanceof ConfigError) return error.problems;
  if (error instanceof NameInUseError) return [`${error.message}; choose another name with -nid`];
  if (isListenError(error)) {
    return [`TCP ${error.address}:${error.port} ${LISTEN_FAULTS[error.code]}`];
  }
  return [error instanceof Error ? error.message : String(error)];
}

function isListenError(error: unknown): error is ListenError {
  if (!(error instanceof Error)) return false;
  const { code, syscall } = error as NodeJS.ErrnoException;
  return syscall === 'listen' && code !== undefined && code in LISTEN_FAULTS;
}
