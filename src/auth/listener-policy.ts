// What holds for the clients of each listener: its password file, its ACL, and who comes in without
// either. Listeners that name the same file share it. A realm stays with the clients that it let in,
// so that a session which outlives its connection is judged as its last listener would.
// Invariant: a listener whose files have never been right lets nobody in.

import type { Identity } from '../broker/ports.ts';
import type { ListenerAccess } from '../shared/listener-config.ts';
import type { PasswordVerifier } from './password-verifier.ts';
import { type ClientRights, Grant, PermissionCache } from './permission-cache.ts';
import { ReloadableFile } from './reloadable-file.ts';

export interface ListenerPolicy {
  passwords: ReloadableFile<PasswordVerifier> | undefined;
  acl: ReloadableFile<PermissionCache> | undefined;
  /** Undefined: while nothing is asked for. */
  anonymous: boolean | undefined;
  needsCertificate: boolean;
  /** False once the listener is gone. */
  isOpen: boolean;
}

export interface Parsers {
  readonly passwords: (path: string, source: string) => PasswordVerifier;
  readonly acl: (path: string, source: string) => PermissionCache;
}

type Tell = (option: string, error: unknown) => void;

const withoutAcl = new PermissionCache(undefined);

export class ListenerPolicies {
  readonly #parsers: Parsers;
  readonly #passwords = new Map<string, ReloadableFile<PasswordVerifier>>();
  readonly #acls = new Map<string, ReloadableFile<PermissionCache>>();
  #byListener = new Map<string, ListenerPolicy>();
  #books: PermissionCache[] = [];

  constructor(parsers: Parsers) {
    this.#parsers = parsers;
  }

  find(listenerId: string): ListenerPolicy | undefined {
    return this.#byListener.get(listenerId);
  }

  get hasAcl(): boolean {
    return [...this.#byListener.values()].some(({ acl }) => acl !== undefined);
  }

  /**
   * Reads all files, again or for the first time. A listener that names a new file which is wrong
   * stays as it was.
   * @param kept listeners that stay as they were in any case
   * @param tell what is wrong with a file
   * @returns all that stay as they were
   */
  async renew(
    listeners: readonly ListenerAccess[],
    anonymous: boolean | undefined,
    kept: ReadonlySet<string>,
    tell: Tell,
  ): Promise<ReadonlySet<string>> {
    const [passwordFiles, aclFiles] = [this.#passwords, this.#acls];
    const { passwords, acl } = this.#parsers;
    const ofUsers = listeners.map(({ passwordFile }) => passwordFile);
    const ofTopics = listeners.map(({ aclFile }) => aclFile);
    await renewFiles(passwordFiles, '-auth', ofUsers, passwords, tell);
    await renewFiles(aclFiles, '-acl', ofTopics, acl, tell);
    const before = this.#byListener;
    const after = new Map<string, ListenerPolicy>();
    const stay = new Set(kept);
    for (const { id, passwordFile = '', aclFile = '', ...own } of listeners) {
      if (passwordFile !== '' && !passwordFiles.has(passwordFile)) stay.add(id);
      if (aclFile !== '' && !aclFiles.has(aclFile)) stay.add(id);
      const known = before.get(id);
      const now: ListenerPolicy = {
        passwords: passwordFiles.get(passwordFile),
        acl: aclFiles.get(aclFile),
        anonymous: own.anonymous ?? anonymous,
        needsCertificate: own.tls?.clientCertificate === 'required',
        isOpen: true,
      };
      if (!stay.has(id)) after.set(id, known === undefined ? now : Object.assign(known, now));
      else if (known !== undefined) after.set(id, known);
    }
    for (const [id, realm] of before) realm.isOpen = after.has(id);
    this.#byListener = after;
    // Of files that several share: one for each.
    this.#books = [...new Set([...after.values()].map(bookOf))];
    return stay;
  }

  /** A session that a store kept has no realm until its client is back: here, all have to agree. */
  mayPublish(identity: Identity, topic: string): boolean {
    const own = ownRights(identity);
    if (own !== undefined) return own.mayPublish(topic);
    return (
      this.#books.length > 0 && this.#books.every((book) => book.of(identity).mayPublish(topic))
    );
  }

  /** Here one is enough: what it gets is judged anew when its client is back. */
  mayReceive(identity: Identity, topic: string): boolean {
    const own = ownRights(identity);
    if (own !== undefined) return own.allows('read', topic);
    return this.#books.some((book) => book.of(identity).allows('read', topic));
  }

  subscriptionRefusal(identity: Identity, filter: string): number {
    const own = ownRights(identity);
    if (own !== undefined) return own.subscriptionRefusal(filter);
    return Math.min(...this.#books.map((book) => book.of(identity).subscriptionRefusal(filter)));
  }
}

function ownRights(identity: Identity): ClientRights | undefined {
  const { grant } = identity;
  return grant instanceof Grant ? bookOf(grant.realm).of(identity) : undefined;
}

function bookOf({ acl }: ListenerPolicy): PermissionCache {
  return acl?.value ?? withoutAcl;
}

/** Where a new version is wrong the last good one stays; where there is none, nothing. */
async function renewFiles<T>(
  files: Map<string, ReloadableFile<T>>,
  option: string,
  paths: readonly (string | undefined)[],
  parse: (path: string, source: string) => T,
  tell: Tell,
): Promise<void> {
  for (const path of files.keys()) if (!paths.includes(path)) files.delete(path);
  for (const path of new Set(paths)) {
    if (path === undefined) continue;
    try {
      const known = files.get(path);
      if (known === undefined) files.set(path, await ReloadableFile.open(option, path, parse));
      else await known.reload();
    } catch (error) {
      tell(option, error);
    }
  }
}
