// The rights of every client under one version of an ACL: made when they are first asked for, and kept
// with the client. Clients of one user share theirs where no line looks at the Client Identifier.

import type { Identity } from '../broker/ports.ts';
import type { Acl } from './acl-file.ts';
import type { ListenerPolicy } from './listener-policy.ts';
import {
  isSameForAllClients,
  Permissions,
  rulesOf,
  rulesOfGrant,
  type TopicClaims,
} from './permissions.ts';

const USERS_REMEMBERED_MAX = 10_000;

export type ClientRights = Pick<Permissions, 'mayPublish' | 'allows' | 'subscriptionRefusal'>;

/** What let a client in; the broker carries it in Identity. */
export class Grant {
  readonly by: 'nothing' | 'certificate' | 'password' | 'token' | 'http';
  /** Of the listener that it came in by. */
  readonly realm: ListenerPolicy;
  /** The line of the password file, the key of the token, or a certificate, that was good for it. */
  readonly credential: string | undefined;
  readonly topics: TopicClaims | undefined;
  /** A book's note. */
  rights: ClientRights | undefined;
  /** Which book's. */
  book: PermissionCache | undefined;

  constructor(by: Grant['by'], realm: ListenerPolicy, credential?: string, topics?: TopicClaims) {
    this.by = by;
    this.realm = realm;
    this.credential = credential;
    this.topics = topics;
  }
}

const everything: ClientRights = {
  mayPublish: () => true,
  allows: () => true,
  subscriptionRefusal: () => 0,
};

export class PermissionCache {
  readonly #acl: Acl | undefined;
  readonly #isShared: boolean;
  readonly #byUser = new Map<string | undefined, ClientRights>();
  /** Of sessions that a store kept: they have no grant until their client is back. */
  readonly #byIdentity = new WeakMap<Identity, ClientRights>();

  /** @param acl undefined: everybody may do everything, unless a token lists topics */
  constructor(acl: Acl | undefined) {
    this.#acl = acl;
    this.#isShared = acl === undefined || isSameForAllClients(acl);
  }

  of(identity: Identity): ClientRights {
    const { grant } = identity;
    if (!(grant instanceof Grant)) return this.#ofKeptSession(identity);
    if (grant.rights === undefined || grant.book !== this) {
      grant.rights = this.#make(identity, grant.topics);
      grant.book = this;
    }
    return grant.rights;
  }

  #ofKeptSession(identity: Identity): ClientRights {
    let rights = this.#byIdentity.get(identity);
    if (rights === undefined) {
      rights = this.#make(identity, undefined);
      this.#byIdentity.set(identity, rights);
    }
    return rights;
  }

  #make({ username, clientId }: Identity, topics: TopicClaims | undefined): ClientRights {
    const acl = this.#acl;
    if (topics !== undefined) {
      const fileRules = acl === undefined ? [] : rulesOf(acl, username, clientId);
      return new Permissions(rulesOfGrant(topics, fileRules));
    }
    if (acl === undefined) return everything;
    if (!this.#isShared) return new Permissions(rulesOf(acl, username, clientId));
    let shared = this.#byUser.get(username);
    if (shared === undefined) {
      if (this.#byUser.size >= USERS_REMEMBERED_MAX) this.#byUser.clear();
      shared = new Permissions(rulesOf(acl, username, clientId));
      this.#byUser.set(username, shared);
    }
    return shared;
  }
}
