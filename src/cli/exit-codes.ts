// The exit codes, for unit files and scripts (docs/cli.md lists them), and the mapping of every error
// to its code and to a sentence for the user.

import { AccessError } from '../auth/access-error.ts';
import { ConfigError } from '../config/load.ts';
import { TlsFileError } from '../net/clients/tls-files.ts';
import { NameInUseError } from '../net/cluster/name-rival.ts';
import { BindError } from '../net/cluster/udp.ts';
import { ListenError } from '../net/listen-error.ts';
import { IsolatedError } from '../node/cluster/peer-watch.ts';
import { ControlSocketError, TokenFileError } from '../node/management.ts';
import { DataPathError, StorageError } from '../storage/storage-error.ts';
import { NoNodeError } from './control-client.ts';

export const exitCodes = {
  /** The command succeeded, or the node stopped on request. */
  ok: 0,
  /** A fault while the node ran, or a command that failed. */
  failure: 1,
  /** The command line or the configuration is wrong, or Node is too old: a restart won't help. */
  usage: 2,
  /** No node answers on this machine. */
  noNode: 2,
  /** An address or port can't be used. */
  address: 3,
  /** Another node of the cluster uses this name. */
  nameInUse: 4,
  /** The data folder can't be used. */
  data: 5,
  /** `convert` has translated a mosquitto.conf, but not all of it. */
  incomplete: 6,
  /** `sub -W` and `rr -W`: the time was over, as with mosquitto_sub. */
  timeout: 27,
  /** No other node was online for too long (-exit-without-peers): a restart may help. */
  isolated: 7,
} as const;

export type ExitCode = number;

/** A mistake on the command line that commander doesn't detect. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof ConfigError || error instanceof UsageError) return exitCodes.usage;
  if (error instanceof TlsFileError || error instanceof AccessError) return exitCodes.usage;
  if (error instanceof DataPathError || error instanceof TokenFileError) return exitCodes.usage;
  if (error instanceof NameInUseError) return exitCodes.nameInUse;
  if (error instanceof BindError || error instanceof ListenError) return exitCodes.address;
  if (error instanceof NoNodeError) return exitCodes.noNode;
  if (error instanceof ControlSocketError) return exitCodes.address;
  if (error instanceof IsolatedError) return exitCodes.isolated;
  if (error instanceof StorageError) return exitCodes.data;
  return exitCodes.failure;
}

/** @returns lines for the user, without line ends */
export function explainError(error: unknown): readonly string[] {
  if (error instanceof ConfigError || error instanceof AccessError) return error.problems;
  if (error instanceof NameInUseError) return [`${error.message}; ${error.cure}`];
  return [error instanceof Error ? error.message : String(error)];
}
