// Who may come in, and what they may do: joins the listeners' password files and ACLs (realm.ts),
// tokens and HTTP callback into the broker's Authorizer. A client certificate that the listener vouches for goes first; then a
// token where the password is one; then the password file for those who stand in it; then the HTTP
// server. Whatever can't be decided is a no.
// Invariant: permissive only while no part of the configuration could restrict anybody.

import { availableParallelism } from 'node:os';
import type { AuthDecision, Authorizer, ConnectRequest, Identity } from '../broker/ports.ts';
import { ReasonCode } from '../mqtt/reason-code.ts';
import type { ListenerAccess } from '../shared/listener-config.ts';
import type { Logger } from '../shared/logger.ts';
import { AccessError } from './access-error.ts';
import { parseAcl } from './acl-file.ts';
import { BusyError, FairQueue } from './fair-queue.ts';
import { CallbackError, HttpCallback } from './http-callback.ts';
import { ListenerPolicies, type ListenerPolicy } from './listener-policy.ts';
import { parsePasswordFile } from './password-file.ts';
import { PasswordVerifier } from './password-verifier.ts';
import { Grant, PermissionCache } from './permission-cache.ts';
import { effort } from './permissions.ts';
import { ReloadableFile } from './reloadable-file.ts';
import { checkToken, looksLikeToken, readTokenKeys, type TokenKey } from './token-keys.ts';

/** Leaves threads of Node's pool (four) to the disk and to name resolution. */
const PARALLEL_CHECKS_MAX = 3;
const CHECKS_WAITING_MAX = 2048;
const CHECK_WAIT_MS_MAX = 5000;

const TOKEN_KEYS = '-auth-jwt-key';
const KEPT = 'a file was not taken over, the last good one stays in force';
const NO_REALM: AuthDecision = {
  reasonCode: ReasonCode.serverUnavailable,
  reason: 'a password or ACL file of this listener is wrong',
};

export interface AccessOptions {
  readonly listeners: readonly ListenerAccess[];
  /** Undefined: only while there is no authentication. */
  readonly anonymousAllowed: boolean | undefined;
  readonly tokenKeyFile: string | undefined;
  readonly tokenIssuer: string | undefined;
  readonly tokenAudience: string | undefined;
  readonly authUrl: string | undefined;
  readonly authFormat: 'form' | 'json';
  readonly authCacheSeconds: number;
}

export interface AccessSurroundings {
  readonly log: Logger;
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  /** Wall clock, milliseconds. */
  wallClock(): number;
}

export interface AccessReload {
  /** How many files are wrong. */
  readonly faults: number;
  /** Listeners that stay as they were. */
  readonly kept: ReadonlySet<string>;
}

type Tell = (option: string, error: unknown) => void;

export class AccessControl implements Authorizer {
  permissive = false;
  /** Since the start, for whoever watches the node. */
  readonly counters = { accepted: 0, refused: 0, busy: 0, reloads: 0, failedReloads: 0 };
  readonly #options: AccessOptions;
  readonly #surroundings: AccessSurroundings;
  readonly #line: FairQueue;
  readonly #realms: ListenerPolicies;
  readonly #http: HttpCallback | undefined;
  #tokenKeys: ReloadableFile<readonly TokenKey[]> | undefined;

  private constructor(options: AccessOptions, surroundings: AccessSurroundings) {
    const now = (): number => surroundings.now();
    const parallelMax = Math.max(1, Math.min(PARALLEL_CHECKS_MAX, availableParallelism()));
    const limits = { parallelMax, waitingMax: CHECKS_WAITING_MAX, waitMsMax: CHECK_WAIT_MS_MAX };
    const line = new FairQueue(limits, now);
    this.#options = options;
    this.#surroundings = surroundings;
    this.#line = line;
    this.#realms = new ListenerPolicies({
      passwords: (path, source) => readPasswordBook(path, source, line),
      acl: readAcl,
    });
    const { authUrl: url, authFormat: format, authCacheSeconds } = options;
    const rememberMs = authCacheSeconds * 1000;
    this.#http = url === undefined ? undefined : new HttpCallback({ url, format, rememberMs }, now);
  }

  /** Rejects with AccessError, all problems of all files in it. */
  static async open(
    options: AccessOptions,
    surroundings: AccessSurroundings,
  ): Promise<AccessControl> {
    const access = new AccessControl(options, surroundings);
    const problems: string[] = [];
    await access.#readFiles(options, new Set(), (_, error) => problems.push(...problemsOf(error)));
    if (problems.length > 0) throw new AccessError(problems);
    return access;
  }

  async #readFiles(
    { listeners, anonymousAllowed }: AccessOptions,
    kept: ReadonlySet<string>,
    tell: Tell,
  ): Promise<ReadonlySet<string>> {
    const { tokenKeyFile } = this.#options;
    try {
      if (this.#tokenKeys !== undefined) await this.#tokenKeys.reload();
      else if (tokenKeyFile !== undefined) {
        this.#tokenKeys = await ReloadableFile.open(TOKEN_KEYS, tokenKeyFile, readTokenKeys);
      }
    } catch (error) {
      tell(TOKEN_KEYS, error);
    }
    const stay = await this.#realms.renew(listeners, anonymousAllowed, kept, tell);
    const asksElsewhere = this.#tokenKeys !== undefined || this.#http !== undefined;
    this.permissive = !asksElsewhere && !this.#realms.hasAcl;
    return stay;
  }

  authenticate(request: ConnectRequest, done: (decision: AuthDecision) => void): void {
    const realm = this.#realms.find(request.listener.name);
    if (realm === undefined) {
      done(this.#count(NO_REALM));
      return;
    }
    const decision = this.#decideAtOnce(request, realm);
    if (decision !== undefined) {
      done(this.#count(decision));
      return;
    }
    this.#decide(request, realm)
      .catch((error: unknown) => this.#fault(error, request))
      .then((decided) => done(this.#count(this.#confirm(request, decided))))
      // A fault of whoever goes on from here: it may cost this client its place, never the process.
      .catch((error: unknown) => done(this.#fault(error, request)))
      .catch((error: unknown) => this.#fault(error, request));
  }

  /** The files may have been read again while the check was under way. */
  #confirm({ clientId, username: claimed }: ConnectRequest, decision: AuthDecision): AuthDecision {
    const { reasonCode, username = claimed, grant } = decision;
    if (reasonCode !== ReasonCode.success) return decision;
    return this.isStillAuthorized({ clientId, username, grant })
      ? decision
      : refuse('the password or key was changed meanwhile');
  }

  #count(decision: AuthDecision): AuthDecision {
    if (decision.reasonCode === ReasonCode.success) this.counters.accepted += 1;
    else this.counters.refused += 1;
    return decision;
  }

  /** Undefined where something has to be checked. */
  #decideAtOnce(request: ConnectRequest, realm: ListenerPolicy): AuthDecision | undefined {
    const { username, password, listener } = request;
    if (listener.certificateName !== undefined) {
      return accept(new Grant('certificate', realm), listener.certificateName);
    }
    const isNameless = username === undefined && password === undefined;
    const { isCertified = false } = listener;
    switch (this.#admits(realm, isNameless, isCertified)) {
      case true:
        return accept(new Grant('nothing', realm, isCertified ? 'certificate' : undefined));
      case false:
        return { reasonCode: ReasonCode.notAuthorized, reason: 'no user name, or no certificate' };
      default:
        return undefined;
    }
  }

  /** Whether a client comes in without a proof; undefined where it has to bring one. */
  #admits(
    { passwords, anonymous, needsCertificate }: ListenerPolicy,
    isNameless: boolean,
    isCertified: boolean,
  ): boolean | undefined {
    // The listener sees to it; here are those that came before it did.
    if (needsCertificate && !isCertified) return false;
    const isAsking = [passwords, this.#tokenKeys, this.#http].some((part) => part !== undefined);
    return isAsking && !isNameless ? undefined : (anonymous ?? !isAsking);
  }

  async #decide(request: ConnectRequest, realm: ListenerPolicy): Promise<AuthDecision> {
    const { username, password, clientId, remoteAddress } = request;
    const tokenKeys = this.#tokenKeys;
    const http = this.#http;
    if (tokenKeys !== undefined && password !== undefined && looksLikeToken(password)) {
      return this.#decideByToken(password, tokenKeys.value, realm, remoteAddress);
    }
    if (username === undefined) return refuse('a password without a user name');
    const book = realm.passwords?.value;
    if (book !== undefined && (book.has(username) || http === undefined)) {
      const credential = book.textOf(username);
      const isRight = await book.check(username, password, remoteAddress);
      if (isRight) return accept(new Grant('password', realm, credential));
      // Said in the log alone.
      if (!book.has(username)) return refuse('unknown user');
      return refuse(password === undefined ? 'no password was sent' : 'wrong password');
    }
    if (http === undefined) return refuse('the password is no token');
    const yes = await http.ask({ username, password, clientId, remoteAddress });
    if (yes === undefined) return refuse('the authentication server says no');
    const grant = new Grant('http', realm, undefined, yes.topics);
    return this.#acceptUntil(yes.expiresAtMs, grant, username);
  }

  async #decideByToken(
    password: Buffer,
    keys: readonly TokenKey[],
    realm: ListenerPolicy,
    from: string,
  ): Promise<AuthDecision> {
    const { tokenIssuer: issuer, tokenAudience: audience } = this.#options;
    const rules = { issuer, audience };
    const token = await this.#line.run(() => checkToken(password, keys, rules), from);
    if (typeof token === 'string') return refuse(token);
    const grant = new Grant('token', realm, token.keyId, token.topics);
    return this.#acceptUntil(token.expiresAtMs, grant, token.username);
  }

  #acceptUntil(expiresAtMs: number | undefined, grant: Grant, username: string): AuthDecision {
    if (expiresAtMs === undefined) return accept(grant, username);
    const expiresInMs = expiresAtMs - this.#surroundings.wallClock();
    return expiresInMs > 0 ? { ...accept(grant, username), expiresInMs } : refuse('expired');
  }

  #fault(error: unknown, { clientId: client, username: user }: ConnectRequest): AuthDecision {
    if (error instanceof BusyError) {
      this.counters.busy += 1;
      return { reasonCode: ReasonCode.serverBusy, reason: error.message };
    }
    const reason = error instanceof Error ? error.message : String(error);
    const { log } = this.#surroundings;
    if (error instanceof CallbackError) {
      const event = 'the authentication server failed';
      log.warn(event, { url: this.#http?.place, client, user, reason });
      return { reasonCode: ReasonCode.serverUnavailable, reason: event };
    }
    log.warn('authentication failed', { client, user, reason });
    return { reasonCode: ReasonCode.unspecifiedError, reason };
  }

  get work(): number {
    return effort.rules;
  }

  mayPublish(identity: Identity, topic: string): boolean {
    return this.#realms.mayPublish(identity, topic);
  }

  mayReceive(identity: Identity, topic: string): boolean {
    return this.#realms.mayReceive(identity, topic);
  }

  subscriptionRefusal(identity: Identity, filter: string): number {
    return this.#realms.subscriptionRefusal(identity, filter);
  }

  isStillAuthorized({ username, grant }: Identity): boolean {
    if (!(grant instanceof Grant)) return true;
    const { by, realm, credential } = grant;
    if (!realm.isOpen) return false;
    if (by === 'nothing') {
      return this.#admits(realm, username === undefined, credential !== undefined) === true;
    }
    if (by === 'password') return realm.passwords?.value.textOf(username ?? '') === credential;
    return by !== 'token' || this.#tokenKeys?.value.some(({ id }) => id === credential) === true;
  }

  /**
   * Reads all files again, those of listeners that are new or have changed as well. One that is wrong
   * keeps its last good version, is told in the log and counted; the broker has to apply the rights
   * afterwards.
   * @param kept listeners that stay as they were, since something else is wrong with them
   */
  async reload(
    options: AccessOptions,
    kept: ReadonlySet<string> = new Set(),
  ): Promise<AccessReload> {
    let faults = 0;
    const stay = await this.#readFiles(options, kept, (option, error) => {
      faults += 1;
      for (const problem of problemsOf(error)) {
        this.#surroundings.log.error(KEPT, { option, problem });
      }
    });
    this.#http?.forget();
    this.counters.reloads += 1;
    this.counters.failedReloads += faults;
    return { faults, kept: stay };
  }

  close(): void {
    this.#http?.close();
  }
}

function problemsOf(error: unknown): readonly string[] {
  return error instanceof AccessError ? error.problems : [String(error)];
}

function readPasswordBook(path: string, source: string, line: FairQueue): PasswordVerifier {
  const { users, problems } = parsePasswordFile(path, source);
  if (problems.length > 0) throw new AccessError(problems);
  return new PasswordVerifier(users, line);
}

function readAcl(path: string, source: string): PermissionCache {
  const { acl, problems } = parseAcl(path, source);
  if (problems.length > 0) throw new AccessError(problems);
  return new PermissionCache(acl);
}

function accept(grant: Grant, username?: string): AuthDecision {
  return { reasonCode: ReasonCode.success, grant, ...(username !== undefined && { username }) };
}

function refuse(reason: string): AuthDecision {
  return { reasonCode: ReasonCode.badUserNameOrPassword, reason };
}
