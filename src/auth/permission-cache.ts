// The permissions of every client under one version of an ACL: computed on first use and kept with the
// client. Clients with the same user name share theirs if no line depends on the Client Identifier.

import type { AccessRule, Identity } from '../broker/ports.ts';
import type { Acl } from './acl-file.ts';
import { REMEMBERED_NAME_CHARACTERS_MAX } from './known-logins.ts';
import {
  isIndependentOfClientId,
  Permissions,
  rulesOf,
  rulesOfClaims,
  type TopicClaims,
} from './permissions.ts';

const USERS_MAX = 10_000;

export type ClientPermissions = Pick<
  Permissions,
  'mayPublish' | 'allows' | 'subscriptionRefusal' | 'mayReadAll'
> &
  Partial<Pick<Permissions, 'list'>>;

/** Keeps the computed permissions of an admitted client. */
export interface PermissionHolder {
  /** Topics that a token or the authentication server granted. */
  readonly topics: TopicClaims | undefined;
  permissions: ClientPermissions | undefined;
  /** The cache that computed them. */
  cache: PermissionCache | undefined;
}

const unrestricted: ClientPermissions = {
  mayPublish: () => true,
  allows: () => true,
  subscriptionRefusal: () => 0,
  mayReadAll: () => true,
};

export class PermissionCache {
  readonly #acl: Acl | undefined;
  readonly #onEviction: () => void;
  readonly #isSharedByUser: boolean;
  readonly #byUser = new Map<string | undefined, ClientPermissions>();
  /** For restored sessions, which have no grant until their client reconnects. */
  readonly #byIdentity = new WeakMap<Identity, ClientPermissions>();

  /**
   * @param acl undefined: no restrictions, except for the topics that a token lists
   * @param onEviction called when a user's permissions are removed to make room
   */
  constructor(acl: Acl | undefined, onEviction: () => void = () => undefined) {
    this.#acl = acl;
    this.#onEviction = onEviction;
    this.#isSharedByUser = acl === undefined || isIndependentOfClientId(acl);
  }

  /** The rules of a client; undefined: every topic is free. */
  rulesOf(
    identity: Identity,
    holder: PermissionHolder | undefined,
  ): readonly AccessRule[] | undefined {
    return this.of(identity, holder).list?.(this.#acl?.path ?? '');
  }

  /** @param holder undefined for a restored session, whose client has not reconnected */
  of(identity: Identity, holder: PermissionHolder | undefined): ClientPermissions {
    if (holder === undefined) return this.#ofRestoredSession(identity);
    if (holder.permissions === undefined || holder.cache !== this) {
      holder.permissions = this.#compute(identity, holder.topics);
      holder.cache = this;
    }
    return holder.permissions;
  }

  #ofRestoredSession(identity: Identity): ClientPermissions {
    let permissions = this.#byIdentity.get(identity);
    if (permissions === undefined) {
      permissions = this.#compute(identity, undefined);
      this.#byIdentity.set(identity, permissions);
    }
    return permissions;
  }

  #compute({ username, clientId }: Identity, topics: TopicClaims | undefined): ClientPermissions {
    const acl = this.#acl;
    if (topics !== undefined) {
      const fileRules = acl === undefined ? [] : rulesOf(acl, username, clientId);
      return new Permissions(rulesOfClaims(topics, fileRules));
    }
    if (acl === undefined) return unrestricted;
    const isLong = (username?.length ?? 0) > REMEMBERED_NAME_CHARACTERS_MAX;
    if (!this.#isSharedByUser || isLong) return new Permissions(rulesOf(acl, username, clientId));
    let shared = this.#byUser.get(username);
    if (shared === undefined) {
      if (this.#byUser.size >= USERS_MAX) this.#evict();
      shared = new Permissions(rulesOf(acl, username, clientId));
      this.#byUser.set(username, shared);
    }
    return shared;
  }

  /** Connected clients keep the permissions of the user; only its next client has them computed again. */
  #evict(): void {
    for (const user of this.#byUser.keys()) {
      this.#byUser.delete(user);
      this.#onEviction();
      return;
    }
  }
}
