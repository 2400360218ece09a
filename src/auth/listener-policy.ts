// The access rules of one listener. A policy stays with the clients that connected through it, so that a
// session which outlives its connection is judged by its last listener.

import type { PasswordVerifier } from './password-verifier.ts';
import type { PermissionCache } from './permission-cache.ts';
import type { ReloadableFile } from './reloadable-file.ts';

export interface ListenerPolicy {
  passwords: ReloadableFile<PasswordVerifier> | undefined;
  acl: ReloadableFile<PermissionCache> | undefined;
  /** Whether clients without a user name may connect; undefined: only if no proof is required. */
  anonymous: boolean | undefined;
  needsCertificate: boolean;
  /** False once the listener is removed. */
  isOpen: boolean;
}
