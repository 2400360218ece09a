// The one error class of the API, and the mapping of the node's own errors to its codes. An option has
// the name here that a program uses for it, not the one of the command line.

import { AccessError } from '../auth/access-error.ts';
import { ConfigError } from '../config/load.ts';
import { TlsFileError } from '../net/clients/tls-files.ts';
import { NameInUseError } from '../net/cluster/name-rival.ts';
import { BindError } from '../net/cluster/udp.ts';
import { ListenError } from '../net/listen-error.ts';
import { ControlSocketError, TokenFileError } from '../node/management.ts';
import { DataPathError, StorageError } from '../storage/storage-error.ts';
import type * as api from './api.ts';
import { inOptionNames } from './option-names.ts';

export class ShoalError extends Error implements api.ShoalError {
  override readonly name = 'ShoalError';
  readonly code: api.ShoalErrorCode;
  readonly problems: readonly string[];

  constructor(code: api.ShoalErrorCode, problems: string | readonly string[], cause?: unknown) {
    const lines = typeof problems === 'string' ? [problems] : problems;
    super(lines.join('\n'), cause === undefined ? undefined : { cause });
    this.code = code;
    this.problems = lines;
  }
}

/** @param error anything that a part of the node has thrown */
export function shoalErrorOf(error: unknown): ShoalError {
  if (error instanceof ShoalError) return error;
  const problems =
    error instanceof ConfigError || error instanceof AccessError
      ? error.problems
      : [error instanceof Error ? error.message : String(error)];
  return new ShoalError(codeOf(error), problems.map(inOptionNames), error);
}

function codeOf(error: unknown): api.ShoalErrorCode {
  if (error instanceof NameInUseError) return 'NAME_IN_USE';
  const isOfOptions = [ConfigError, AccessError, TlsFileError, TokenFileError].some(
    (one) => error instanceof one,
  );
  if (isOfOptions) return 'INVALID_OPTIONS';
  const isOfPorts = [ListenError, BindError, ControlSocketError].some(
    (one) => error instanceof one,
  );
  if (isOfPorts) return 'LISTEN';
  const isOfData = error instanceof StorageError || error instanceof DataPathError;
  return isOfData ? 'STORAGE' : 'FAILED';
}
