// Why a client was admitted: what the authorizer needs to judge the client again after a reload. The
// broker carries it in Identity and does not look inside.

import type { ListenerPolicy } from './listener-policy.ts';
import type { ClientPermissions, PermissionCache, PermissionHolder } from './permission-cache.ts';
import type { TopicClaims } from './permissions.ts';

export class Grant implements PermissionHolder {
  readonly by: 'nothing' | 'certificate' | 'password' | 'token' | 'http';
  /** Of the listener that the client connected to. */
  readonly policy: ListenerPolicy;
  /** What proved the client: its hash in the password file, the id of the token's key, or 'certificate'. */
  readonly credential: string | undefined;
  readonly topics: TopicClaims | undefined;
  permissions: ClientPermissions | undefined;
  cache: PermissionCache | undefined;

  constructor(by: Grant['by'], policy: ListenerPolicy, credential?: string, topics?: TopicClaims) {
    this.by = by;
    this.policy = policy;
    this.credential = credential;
    this.topics = topics;
  }
}

/** Undefined for a restored session, whose client has not reconnected. */
export function grantOf(identity: { readonly grant?: unknown }): Grant | undefined {
  return identity.grant instanceof Grant ? identity.grant : undefined;
}
