// The access rules of one listener. A policy stays with the clients that connected through it, so that a
// session which outlives its connection is judged by its last listener.

import type { HttpCallback } from './http-callback.ts';
import type { PasswordVerifier } from './password-verifier.ts';
import type { PermissionCache } from './permission-cache.ts';
import type { ReloadableFile } from './reloadable-file.ts';
import type { TokenKey } from './token-keys.ts';

export interface ListenerPolicy {
  passwords: ReloadableFile<PasswordVerifier> | undefined;
  acl: ReloadableFile<PermissionCache> | undefined;
  /** Keys of the tokens that are accepted as passwords. */
  tokenKeys: ReloadableFile<readonly TokenKey[]> | undefined;
  /** The server that decides on users that the password file does not have. */
  http: HttpCallback | undefined;
  /** Whether clients without a user name may connect; undefined: only if no proof is required. */
  anonymous: boolean | undefined;
  needsCertificate: boolean;
  /** False once the listener is removed. */
  isOpen: boolean;
}
