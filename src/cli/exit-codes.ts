// How the process ends, for unit files and scripts; docs/cli.md tells the same. Turns any error
// into its code and into a sentence for the user.

import type { Config } from '../config/config.ts';
import { ConfigError } from '../config/load.ts';

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

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof ConfigError || error instanceof UsageError) return exitCodes.usage;
  if (!(error instanceof Error)) return exitCodes.failure;
  if (error.name === 'NameInUseError') return exitCodes.nameInUse;
  return isAddressError(error) ? exitCodes.address : exitCodes.failure;
}

/** @returns lines without a line end */
export function explainError(error: unknown, config?: Config): string[] {
  if (error instanceof ConfigError) return [...error.problems];
  if (!(error instanceof Error)) return [String(error)];
  if (config !== undefined && isAddressError(error)) return [explainAddressError(error, config)];
  if (error.name === 'NameInUseError' && config !== undefined) {
    return [`${error.message}; choose another name with -nid`];
  }
  return [error.message];
}

interface AddressError extends Error {
  readonly code: string;
  readonly syscall?: string;
  readonly address?: string;
  readonly port?: number;
}

function isAddressError(error: Error): error is AddressError {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EADDRINUSE' || code === 'EADDRNOTAVAIL' || code === 'EACCES';
}

function explainAddressError(error: AddressError, config: Config): string {
  const { code, port, address } = error;
  if (code === 'EADDRNOTAVAIL') {
    return `-bind=${config.bindAddress ?? address ?? ''}: this machine doesn't have that address`;
  }
  if (port === undefined) return error.message;
  const flag = flagOfPort(port, error.syscall === 'listen', config);
  const name = `${error.syscall === 'listen' ? 'tcp' : 'udp'} port ${port}`;
  const what = code === 'EACCES' ? 'may not be used by this user' : 'is in use by another program';
  return `${name} ${what}; choose another one with -${flag}`;
}

function flagOfPort(port: number, tcp: boolean, config: Config): string {
  if (tcp) return 'port';
  return port === config.syncPort ? 'csp' : 'crp';
}
