// The rights of every client under the present ACL: made when they are first asked for, kept with
// the client, and forgotten all at once when the ACL changes. Clients of one user share theirs
// where no line looks at the Client Identifier.

import type { Identity } from '../broker/ports.ts';
import type { Acl } from './acl-file.ts';
import {
  type GrantedTopics,
  isSameForAllClients,
  Rights,
  rulesOf,
  rulesOfGrant,
} from './rights.ts';

const USERS_REMEMBERED_MAX = 10_000;

type ClientRights = Pick<Rights, 'mayPublish' | 'allows' | 'subscriptionRefusal'>;

/** What let a client in; the broker carries it in Identity. */
export class Grant {
  readonly by: 'nothing' | 'certificate' | 'password' | 'token' | 'http';
  /** The line of the password file, or the key of the token, that was good for it. */
  readonly credential: string | undefined;
  readonly topics: GrantedTopics | undefined;
  /** The book's note. */
  rights: ClientRights | undefined;
  /** Under which version of the ACL they were made. */
  generation = 0;

  constructor(by: Grant['by'], credential?: string, topics?: GrantedTopics) {
    this.by = by;
    this.credential = credential;
    this.topics = topics;
  }
}

const everything: ClientRights = {
  mayPublish: () => true,
  allows: () => true,
  subscriptionRefusal: () => 0,
};

export class RightsBook {
  #acl: Acl | undefined;
  #isShared = true;
  #generation = 0;
  readonly #byUser = new Map<string | undefined, ClientRights>();
  /** Of sessions that a store kept: they have no grant until their client is back. */
  #byIdentity = new WeakMap<Identity, ClientRights>();

  /** @param acl undefined: everybody may do everything, unless a token lists topics */
  constructor(acl: Acl | undefined) {
    this.replace(acl);
  }

  replace(acl: Acl | undefined): void {
    this.#acl = acl;
    this.#isShared = acl === undefined || isSameForAllClients(acl);
    this.#generation += 1;
    this.#byUser.clear();
    this.#byIdentity = new WeakMap();
  }

  of(identity: Identity): ClientRights {
    const { grant } = identity;
    if (!(grant instanceof Grant)) return this.#ofKeptSession(identity);
    if (grant.rights === undefined || grant.generation !== this.#generation) {
      grant.rights = this.#make(identity, grant.topics);
      grant.generation = this.#generation;
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

  #make({ username, clientId }: Identity, topics: GrantedTopics | undefined): ClientRights {
    const acl = this.#acl;
    if (topics !== undefined) {
      const fileRules = acl === undefined ? [] : rulesOf(acl, username, clientId);
      return new Rights(rulesOfGrant(topics, fileRules));
    }
    if (acl === undefined) return everything;
    if (!this.#isShared) return new Rights(rulesOf(acl, username, clientId));
    let shared = this.#byUser.get(username);
    if (shared === undefined) {
      if (this.#byUser.size >= USERS_REMEMBERED_MAX) this.#byUser.clear();
      shared = new Rights(rulesOf(acl, username, clientId));
      this.#byUser.set(username, shared);
    }
    return shared;
  }
}
