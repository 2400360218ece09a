// The policies of all listeners, and the files behind them: reads the files, again at each reload, and
// answers what a client may do. Listeners that name the same file share it.
// Invariant: a listener whose files have never been valid admits no client.

import type { AccessRule, Identity } from '../broker/ports.ts';
import type { ListenerAccess } from '../shared/listener-config.ts';
import { grantOf } from './grant.ts';
import type { HttpCallback } from './http-callback.ts';
import type { ListenerPolicy } from './listener-policy.ts';
import type { PasswordVerifier } from './password-verifier.ts';
import { type ClientPermissions, PermissionCache } from './permission-cache.ts';
import { type Parse, ReloadableFile } from './reloadable-file.ts';
import type { TokenKey } from './token-keys.ts';

/** The option that names key files, in messages. */
export const TOKEN_KEYS = '-auth-jwt-key';

export interface Parsers {
  readonly passwords: Parse<PasswordVerifier>;
  readonly acl: Parse<PermissionCache>;
  readonly tokenKeys: Parse<readonly TokenKey[]>;
  /** Makes the callback of a server. */
  http(url: string): HttpCallback;
}

type ReportProblem = (option: string, error: unknown) => void;

const withoutAcl = new PermissionCache(undefined);

export class ListenerPolicies {
  readonly #parsers: Parsers;
  readonly #passwordFiles = new Map<string, ReloadableFile<PasswordVerifier>>();
  readonly #aclFiles = new Map<string, ReloadableFile<PermissionCache>>();
  readonly #tokenKeyFiles = new Map<string, ReloadableFile<readonly TokenKey[]>>();
  /** By URL: listeners that ask the same server share its queue and its cache. */
  readonly #callbacks = new Map<string, HttpCallback>();
  #byListener = new Map<string, ListenerPolicy>();
  /** One for each ACL in use. */
  #permissionCaches: PermissionCache[] = [];

  constructor(parsers: Parsers) {
    this.#parsers = parsers;
  }

  find(listenerId: string): ListenerPolicy | undefined {
    return this.#byListener.get(listenerId);
  }

  /** Whether a client of some listener may be restricted: by an ACL, a token or a server. */
  get mayRestrict(): boolean {
    return [...this.#byListener.values()].some(
      ({ acl, tokenKeys, http }) => (acl ?? tokenKeys ?? http) !== undefined,
    );
  }

  /** Whether every listener checks the user names of its clients: by passwords, tokens or a server. */
  get provesUsers(): boolean {
    return [...this.#byListener.values()].every(
      ({ passwords, tokenKeys, http }) => (passwords ?? tokenKeys ?? http) !== undefined,
    );
  }

  get callbacks(): readonly HttpCallback[] {
    return [...this.#callbacks.values()];
  }

  /**
   * Reads all files, again or for the first time. A listener that names a new and invalid file keeps
   * its previous policy.
   * @param kept listeners that keep their policy in any case
   * @param report called for each invalid file
   * @returns all listeners that keep their previous policy
   */
  async reload(
    listeners: readonly ListenerAccess[],
    anonymous: boolean | undefined,
    kept: ReadonlySet<string>,
    report: ReportProblem,
  ): Promise<ReadonlySet<string>> {
    const [passwordFiles, aclFiles] = [this.#passwordFiles, this.#aclFiles];
    const { passwords, acl } = this.#parsers;
    const tokenKeyFiles = this.#tokenKeyFiles;
    const keyPaths = listeners.map(({ tokenKeyFile }) => tokenKeyFile);
    await reloadFiles(tokenKeyFiles, TOKEN_KEYS, keyPaths, this.#parsers.tokenKeys, report);
    this.#reloadCallbacks(listeners.map(({ authUrl }) => authUrl));
    const passwordPaths = listeners.map(({ passwordFile }) => passwordFile);
    const aclPaths = listeners.map(({ aclFile }) => aclFile);
    await reloadFiles(passwordFiles, '-auth', passwordPaths, passwords, report);
    await reloadFiles(aclFiles, '-acl', aclPaths, acl, report);
    const before = this.#byListener;
    const after = new Map<string, ListenerPolicy>();
    const unchanged = new Set(kept);
    for (const { id, passwordFile = '', aclFile = '', tokenKeyFile = '', ...own } of listeners) {
      if (tokenKeyFile !== '' && !tokenKeyFiles.has(tokenKeyFile)) unchanged.add(id);
      if (passwordFile !== '' && !passwordFiles.has(passwordFile)) unchanged.add(id);
      if (aclFile !== '' && !aclFiles.has(aclFile)) unchanged.add(id);
      const known = before.get(id);
      const policy: ListenerPolicy = {
        passwords: passwordFiles.get(passwordFile),
        acl: aclFiles.get(aclFile),
        tokenKeys: tokenKeyFiles.get(tokenKeyFile),
        http: this.#callbacks.get(own.authUrl ?? ''),
        anonymous: own.anonymous ?? anonymous,
        needsCertificate: own.tls?.clientCertificate === 'required',
        isOpen: true,
      };
      // The object stays the same, because grants refer to it.
      if (!unchanged.has(id)) after.set(id, known ? Object.assign(known, policy) : policy);
      else if (known !== undefined) after.set(id, known);
    }
    for (const [id, policy] of before) policy.isOpen = after.has(id);
    this.#byListener = after;
    this.#permissionCaches = [...new Set([...after.values()].map(permissionCacheOf))];
    return unchanged;
  }

  #reloadCallbacks(urls: readonly (string | undefined)[]): void {
    for (const [url, callback] of this.#callbacks) {
      if (urls.includes(url)) continue;
      this.#callbacks.delete(url);
      callback.close();
    }
    for (const url of urls) {
      if (url === undefined || this.#callbacks.has(url)) continue;
      this.#callbacks.set(url, this.#parsers.http(url));
    }
  }

  /**
   * A restored session has no listener until its client reconnects; then it may publish only what every
   * ACL allows.
   */
  mayPublish(identity: Identity, topic: string): boolean {
    const own = grantedPermissions(identity);
    if (own !== undefined) return own.mayPublish(topic);
    const caches = this.#permissionCaches;
    return (
      caches.length > 0 && caches.every((cache) => cache.of(identity, undefined).mayPublish(topic))
    );
  }

  /** Of a restored session, those of the first ACL. */
  rulesOf(identity: Identity): readonly AccessRule[] | undefined {
    const grant = grantOf(identity);
    const cache = grant === undefined ? this.#permissionCaches[0] : permissionCacheOf(grant.policy);
    return cache?.rulesOf(identity, grant);
  }

  /** A restored session may receive what any ACL allows: it is judged again when its client reconnects. */
  mayReceive(identity: Identity, topic: string): boolean {
    const own = grantedPermissions(identity);
    if (own !== undefined) return own.allows('read', topic);
    return this.#permissionCaches.some((cache) =>
      cache.of(identity, undefined).allows('read', topic),
    );
  }

  /** A restored session may, where every ACL allows it. */
  mayReceiveAll(identity: Identity, filter: string): boolean {
    const own = grantedPermissions(identity);
    if (own !== undefined) return own.mayReadAll(filter);
    return this.#permissionCaches.every((cache) =>
      cache.of(identity, undefined).mayReadAll(filter),
    );
  }

  subscriptionRefusal(identity: Identity, filter: string): number {
    const own = grantedPermissions(identity);
    if (own !== undefined) return own.subscriptionRefusal(filter);
    const refusals = this.#permissionCaches.map((cache) =>
      cache.of(identity, undefined).subscriptionRefusal(filter),
    );
    return Math.min(...refusals);
  }
}

/** Undefined for a restored session. */
function grantedPermissions(identity: Identity): ClientPermissions | undefined {
  const grant = grantOf(identity);
  return grant && permissionCacheOf(grant.policy).of(identity, grant);
}

function permissionCacheOf({ acl }: ListenerPolicy): PermissionCache {
  return acl?.value ?? withoutAcl;
}

/** An invalid file keeps its last valid version; a new file that is invalid is left out. */
async function reloadFiles<T>(
  files: Map<string, ReloadableFile<T>>,
  option: string,
  paths: readonly (string | undefined)[],
  parse: Parse<T>,
  report: ReportProblem,
): Promise<void> {
  for (const path of files.keys()) if (!paths.includes(path)) files.delete(path);
  for (const path of new Set(paths)) {
    if (path === undefined) continue;
    try {
      const known = files.get(path);
      if (known === undefined) files.set(path, await ReloadableFile.open(option, path, parse));
      else await known.reload();
    } catch (error) {
      report(option, error);
    }
  }
}
