// Who may come in, and what they may do: joins password file, tokens, HTTP callback and ACL into
// the broker's Authorizer. A client certificate that the listener vouches for goes first; then a
// token where the password is one; then the password file for those who stand in it; then the HTTP
// server. Whatever can't be decided is a no.
// Invariant: permissive only while no part of the configuration could restrict anybody.

import { availableParallelism } from 'node:os';
import type { AuthDecision, Authorizer, ConnectRequest, Identity } from '../broker/ports.ts';
import { ReasonCode } from '../mqtt/reason-code.ts';
import type { Logger } from '../shared/logger.ts';
import { AccessError } from './access-error.ts';
import { type Acl, parseAcl } from './acl-file.ts';
import { isAuthenticating } from './admission.ts';
import { CallbackError, HttpCallback } from './http-callback.ts';
import { PasswordBook } from './password-book.ts';
import { parsePasswordFile } from './password-file.ts';
import { ReloadableFile } from './reloadable-file.ts';
import { Grant, RightsBook } from './rights-book.ts';
import { checkToken, looksLikeToken, readTokenKeys, type TokenKey } from './token-keys.ts';
import { BusyError, WorkLine } from './work-line.ts';

/** Leaves threads of Node's pool (four) to the disk and to name resolution. */
const PARALLEL_CHECKS_MAX = 3;
const CHECKS_WAITING_MAX = 2048;
const CHECK_WAIT_MS_MAX = 5000;

export interface AccessOptions {
  readonly passwordFile: string | undefined;
  readonly aclFile: string | undefined;
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

interface Parts {
  readonly passwords: ReloadableFile<PasswordBook> | undefined;
  readonly acl: ReloadableFile<Acl> | undefined;
  readonly tokenKeys: ReloadableFile<readonly TokenKey[]> | undefined;
  readonly http: HttpCallback | undefined;
  readonly line: WorkLine;
}

export class AccessControl implements Authorizer {
  readonly permissive: boolean;
  /** Since the start, for whoever watches the node. */
  readonly counters = { accepted: 0, refused: 0, busy: 0, reloads: 0, failedReloads: 0 };
  readonly #options: AccessOptions;
  readonly #surroundings: AccessSurroundings;
  readonly #parts: Parts;
  readonly #rights: RightsBook;

  private constructor(options: AccessOptions, surroundings: AccessSurroundings, parts: Parts) {
    this.#options = options;
    this.#surroundings = surroundings;
    this.#parts = parts;
    const { acl, tokenKeys, http } = parts;
    this.permissive = acl === undefined && tokenKeys === undefined && http === undefined;
    this.#rights = new RightsBook(acl?.value);
  }

  /** Rejects with AccessError, all problems of all files in it. */
  static async open(
    options: AccessOptions,
    surroundings: AccessSurroundings,
  ): Promise<AccessControl> {
    return new AccessControl(options, surroundings, await openParts(options, surroundings));
  }

  get #hasAuthentication(): boolean {
    return isAuthenticating(this.#options);
  }

  authenticate(request: ConnectRequest, done: (decision: AuthDecision) => void): void {
    const decision = this.#decideAtOnce(request);
    if (decision !== undefined) {
      done(this.#count(decision));
      return;
    }
    this.#decide(request)
      .catch((error: unknown) => this.#fault(error))
      .then((decided) => done(this.#count(this.#confirm(request, decided))))
      // A fault of whoever goes on from here: it may cost this client its place, never the process.
      .catch((error: unknown) => done(this.#fault(error)))
      .catch((error: unknown) => this.#fault(error));
  }

  /** The files may have been read again while the check was under way. */
  #confirm({ clientId, username: claimed }: ConnectRequest, decision: AuthDecision): AuthDecision {
    const { reasonCode, username = claimed, grant } = decision;
    if (reasonCode !== ReasonCode.success) return decision;
    return this.isWelcome({ clientId, username, grant })
      ? decision
      : refuse('the password or key was changed meanwhile');
  }

  #count(decision: AuthDecision): AuthDecision {
    if (decision.reasonCode === ReasonCode.success) this.counters.accepted += 1;
    else this.counters.refused += 1;
    return decision;
  }

  /** Undefined where something has to be checked. */
  #decideAtOnce(request: ConnectRequest): AuthDecision | undefined {
    const { username, password, listener } = request;
    if (listener.certificateName !== undefined) {
      return accept(new Grant('certificate'), listener.certificateName);
    }
    const isNameless = username === undefined && password === undefined;
    if (this.#hasAuthentication && !isNameless) return undefined;
    const isAllowed =
      listener.anonymous ?? this.#options.anonymousAllowed ?? !this.#hasAuthentication;
    return isAllowed
      ? accept(new Grant('nothing'))
      : { reasonCode: ReasonCode.notAuthorized, reason: 'no user name' };
  }

  async #decide(request: ConnectRequest): Promise<AuthDecision> {
    const { username, password } = request;
    const { passwords, tokenKeys, http } = this.#parts;
    if (tokenKeys !== undefined && password !== undefined && looksLikeToken(password)) {
      return this.#decideByToken(password, tokenKeys.value);
    }
    if (username === undefined) return refuse('a password without a user name');
    const book = passwords?.value;
    if (book !== undefined && (book.has(username) || http === undefined)) {
      const credential = book.textOf(username);
      const isRight = await book.check(username, password);
      if (isRight) return accept(new Grant('password', credential));
      // Said in the log alone.
      return refuse(book.has(username) ? 'wrong password' : 'unknown user');
    }
    if (http === undefined) return refuse('the password is no token');
    const { clientId, remoteAddress } = request;
    const yes = await http.ask({ username, password, clientId, remoteAddress });
    if (yes === undefined) return refuse('the authentication server says no');
    return this.#acceptUntil(yes.expiresAtMs, new Grant('http', undefined, yes.topics), username);
  }

  async #decideByToken(password: Buffer, keys: readonly TokenKey[]): Promise<AuthDecision> {
    const { tokenIssuer: issuer, tokenAudience: audience } = this.#options;
    const token = await this.#parts.line.run(() =>
      checkToken(password, keys, { issuer, audience }),
    );
    if (typeof token === 'string') return refuse(token);
    const grant = new Grant('token', token.keyId, token.topics);
    return this.#acceptUntil(token.expiresAtMs, grant, token.username);
  }

  #acceptUntil(expiresAtMs: number | undefined, grant: Grant, username: string): AuthDecision {
    if (expiresAtMs === undefined) return accept(grant, username);
    const expiresInMs = expiresAtMs - this.#surroundings.wallClock();
    return expiresInMs > 0 ? { ...accept(grant, username), expiresInMs } : refuse('expired');
  }

  #fault(error: unknown): AuthDecision {
    if (error instanceof BusyError) {
      this.counters.busy += 1;
      return { reasonCode: ReasonCode.serverBusy, reason: error.message };
    }
    const reason = error instanceof Error ? error.message : String(error);
    this.#surroundings.log.warn('authentication failed', { reason });
    const isOutside = error instanceof CallbackError;
    return {
      reasonCode: isOutside ? ReasonCode.serverUnavailable : ReasonCode.unspecifiedError,
      reason,
    };
  }

  mayPublish(identity: Identity, topic: string): boolean {
    return this.#rights.of(identity).mayPublish(topic);
  }

  mayReceive(identity: Identity, topic: string): boolean {
    return this.#rights.of(identity).allows('read', topic);
  }

  subscriptionRefusal(identity: Identity, filter: string): number {
    return this.#rights.of(identity).subscriptionRefusal(filter);
  }

  isWelcome({ username, grant }: Identity): boolean {
    if (!(grant instanceof Grant)) return true;
    const { passwords, tokenKeys } = this.#parts;
    if (grant.by === 'password') {
      return passwords?.value.textOf(username ?? '') === grant.credential;
    }
    if (grant.by !== 'token') return true;
    return tokenKeys?.value.some(({ id }) => id === grant.credential) === true;
  }

  /**
   * Reads all files again. One that is wrong keeps its last good version, is told in the log and
   * counted; the broker has to apply the rights afterwards.
   * @returns how many files are wrong
   */
  async reload(): Promise<number> {
    const { passwords, acl, tokenKeys, http } = this.#parts;
    let failed = 0;
    for (const file of [passwords, acl, tokenKeys]) {
      try {
        await file?.reload();
      } catch (error) {
        failed += 1;
        this.#tellProblems(file?.option, error);
      }
    }
    http?.forget();
    this.counters.reloads += 1;
    this.counters.failedReloads += failed;
    this.#rights.replace(acl?.value);
    return failed;
  }

  #tellProblems(option: string | undefined, error: unknown): void {
    const problems = error instanceof AccessError ? error.problems : [String(error)];
    const { log } = this.#surroundings;
    for (const problem of problems) {
      log.error('a file was not taken over, the last good one stays in force', { option, problem });
    }
  }

  /** What stands under $SYS/broker. */
  sysValues(): Record<string, string> {
    const { accepted, refused, busy, reloads, failedReloads } = this.counters;
    return {
      'access/accepted': String(accepted),
      'access/refused': String(refused),
      'access/busy': String(busy),
      'access/reloads': String(reloads),
      'access/failed reloads': String(failedReloads),
    };
  }

  close(): void {
    this.#parts.http?.close();
  }
}

async function openParts(options: AccessOptions, surroundings: AccessSurroundings): Promise<Parts> {
  const now = (): number => surroundings.now();
  const parallelMax = Math.max(1, Math.min(PARALLEL_CHECKS_MAX, availableParallelism()));
  const limits = { parallelMax, waitingMax: CHECKS_WAITING_MAX, waitMsMax: CHECK_WAIT_MS_MAX };
  const line = new WorkLine(limits, now);
  const opened = await Promise.allSettled([
    openFile('-auth', options.passwordFile, (path, source) => readPasswordBook(path, source, line)),
    openFile('-acl', options.aclFile, readAcl),
    openFile('-auth-jwt-key', options.tokenKeyFile, readTokenKeys),
  ] as const);
  const problems = opened.flatMap((result) => {
    if (result.status === 'fulfilled') return [];
    return result.reason instanceof AccessError ? result.reason.problems : [String(result.reason)];
  });
  const [passwords, acl, tokenKeys] = opened;
  if (
    passwords.status === 'rejected' ||
    acl.status === 'rejected' ||
    tokenKeys.status === 'rejected'
  ) {
    throw new AccessError(problems);
  }
  const { authUrl: url, authFormat: format, authCacheSeconds } = options;
  const rememberMs = authCacheSeconds * 1000;
  return {
    passwords: passwords.value,
    acl: acl.value,
    tokenKeys: tokenKeys.value,
    http: url === undefined ? undefined : new HttpCallback({ url, format, rememberMs }, now),
    line,
  };
}

async function openFile<T>(
  option: string,
  path: string | undefined,
  parse: (path: string, source: string) => T,
): Promise<ReloadableFile<T> | undefined> {
  return path === undefined ? undefined : ReloadableFile.open(option, path, parse);
}

function readPasswordBook(path: string, source: string, line: WorkLine): PasswordBook {
  const { users, problems } = parsePasswordFile(path, source);
  if (problems.length > 0) throw new AccessError(problems);
  return new PasswordBook(users, line);
}

function readAcl(path: string, source: string): Acl {
  const { acl, problems } = parseAcl(path, source);
  if (problems.length > 0) throw new AccessError(problems);
  return acl;
}

function accept(grant: Grant, username?: string): AuthDecision {
  return { reasonCode: ReasonCode.success, grant, ...(username !== undefined && { username }) };
}

function refuse(reason: string): AuthDecision {
  return { reasonCode: ReasonCode.badUserNameOrPassword, reason };
}
