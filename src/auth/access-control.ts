// The broker's Authorizer: decides who may connect, and what each client may do. Combines the password
// files and ACLs of the listeners (listener-policies.ts), tokens and the HTTP callback. In this order: the
// user name proven by a client certificate; a token, if the password is one; the password file, if it
// has the user; the HTTP server. A login that cannot be decided is refused.
// Invariant: permissive only while no part of the configuration could restrict a client.

import { availableParallelism } from 'node:os';
import type {
  AccessRule,
  AuthDecision,
  Authorizer,
  ConnectRequest,
  Identity,
} from '../broker/ports.ts';
import type { ValuesOf } from '../metrics/metric-list.ts';
import { ReasonCode } from '../mqtt/reason-code.ts';
import type { ListenerAccess } from '../shared/listener-config.ts';
import type { Logger } from '../shared/logger.ts';
import { OngoingFaults } from '../shared/ongoing-faults.ts';
import { AccessError } from './access-error.ts';
import { readAcl } from './acl-file.ts';
import { BusyError, FairQueue } from './fair-queue.ts';
import { Grant, grantOf } from './grant.ts';
import { CallbackError, HttpCallback } from './http-callback.ts';
import { KnownLogins } from './known-logins.ts';
import { ListenerPolicies, TOKEN_KEYS } from './listener-policies.ts';
import type { ListenerPolicy } from './listener-policy.ts';
import { readPasswordFile } from './password-file.ts';
import { PasswordVerifier } from './password-verifier.ts';
import { PermissionCache } from './permission-cache.ts';
import { evaluationCost } from './permissions.ts';
import { runInSlices } from './time-slices.ts';
import { checkToken, looksLikeToken, readTokenKeys, type TokenKey } from './token-keys.ts';

/** Leaves a thread of Node's pool (four by default) to the disk and to name resolution. */
const PARALLEL_CHECKS_MAX = 3;
const CHECKS_WAITING_MAX = 2048;
const CHECK_WAIT_MS_MAX = 5000;

/** Names of lasting faults. */
const BUSY = 'busy';
const SERVER_FAILS = 'server fails';

const FILE_OPTIONS = ['-auth', '-acl', TOKEN_KEYS];
const KEPT = 'file not reloaded: its last valid version stays in force';
const NO_POLICY: AuthDecision = {
  reasonCode: ReasonCode.serverUnavailable,
  reason: 'a password or ACL file of this listener is invalid',
};

export interface AccessOptions {
  readonly listeners: readonly ListenerAccess[];
  /** Undefined: only while there is no authentication. */
  readonly anonymousAllowed: boolean | undefined;
  readonly tokenKeyFile: string | undefined;
  readonly tokenIssuer: string | undefined;
  readonly tokenAudience: string | undefined;
  /** A token without an expiry is refused. */
  readonly tokenExpiryRequired?: boolean;
  readonly authUrl: string | undefined;
  readonly authFormat: 'form' | 'json';
  readonly authCacheSeconds: number;
  /** IPv4 addresses that agree in these bits take turns as one. */
  readonly loginIpv4Bits: number;
}

export interface AccessContext {
  readonly log: Logger;
  /** Monotonic clock, in ms. */
  now(): number;
  /** Wall clock, in ms since 1970. */
  wallClock(): number;
}

export interface AccessReload {
  /** Of each invalid file, its first problem. */
  readonly faults: readonly string[];
  /** Listeners that keep their previous files. */
  readonly kept: ReadonlySet<string>;
}

type ReportProblem = (option: string, error: unknown) => void;

export class AccessControl implements Authorizer {
  permissive = false;
  provesUsers = false;
  /** Since the start of the node. */
  readonly counters = {
    accepted: 0,
    refused: 0,
    busy: 0,
    reloads: 0,
    failedReloads: 0,
    permissionEvictions: 0,
  };
  readonly #faults = new OngoingFaults();
  readonly #options: AccessOptions;
  readonly #context: AccessContext;
  readonly #queue: FairQueue;
  readonly #knownLogins: KnownLogins;
  readonly #policies: ListenerPolicies;

  private constructor(options: AccessOptions, context: AccessContext) {
    const now = (): number => context.now();
    const parallelMax = Math.max(1, Math.min(PARALLEL_CHECKS_MAX, availableParallelism()));
    const limits = { parallelMax, waitingMax: CHECKS_WAITING_MAX, waitMsMax: CHECK_WAIT_MS_MAX };
    const queue = new FairQueue(limits, now);
    this.#options = options;
    this.#context = context;
    this.#queue = queue;
    this.#knownLogins = new KnownLogins(options.loginIpv4Bits);
    const { authFormat: format, authCacheSeconds } = options;
    const cacheMs = authCacheSeconds * 1000;
    this.#policies = new ListenerPolicies({
      tokenKeys: parseTokenKeys,
      http: (url) => new HttpCallback({ url, format, cacheMs }, context),
      passwords: (path, source, previous) => parsePasswords(path, source, queue, previous),
      acl: (path, source) => parseAcl(path, source, () => (this.counters.permissionEvictions += 1)),
    });
  }

  /** Reads all files. Rejects with an AccessError that lists the problems of all of them. */
  static async open(options: AccessOptions, context: AccessContext): Promise<AccessControl> {
    const access = new AccessControl(options, context);
    const problems: string[] = [];
    await access.#readFiles(options, new Set(), (_, error) => problems.push(...problemsOf(error)));
    if (problems.length > 0) throw new AccessError(problems);
    return access;
  }

  async #readFiles(
    { listeners, anonymousAllowed, tokenKeyFile, authUrl }: AccessOptions,
    kept: ReadonlySet<string>,
    report: ReportProblem,
  ): Promise<ReadonlySet<string>> {
    // A listener without its own has what the node has.
    const complete = listeners.map((one) => ({
      ...one,
      tokenKeyFile: one.tokenKeyFile ?? tokenKeyFile,
      authUrl: one.authUrl ?? authUrl,
    }));
    const unchanged = await this.#policies.reload(complete, anonymousAllowed, kept, report);
    this.permissive = !this.#policies.mayRestrict;
    this.provesUsers = this.#policies.provesUsers;
    return unchanged;
  }

  authenticate(
    request: ConnectRequest,
    done: (decision: AuthDecision, now: number) => void,
  ): AuthDecision | undefined {
    const policy = this.#policies.find(request.listener.name);
    if (policy === undefined) return this.#count(NO_POLICY);
    const decision = this.#decideWithoutProof(request, policy);
    if (decision !== undefined) return this.#count(decision);
    const finish = (decided: AuthDecision): void => done(decided, this.#context.now());
    this.#decide(request, policy)
      .catch((error: unknown) => this.#fault(error, request))
      .then((decided) => finish(this.#count(this.#confirm(request, decided))))
      // An error thrown by `done` may end this client's connection, but never the process.
      .catch((error: unknown) => finish(this.#fault(error, request)))
      .catch((error: unknown) => this.#fault(error, request));
    return undefined;
  }

  /** Checks an acceptance again: the files may have been reloaded meanwhile. */
  #confirm(request: ConnectRequest, decision: AuthDecision): AuthDecision {
    const { clientId, username: claimed, remoteAddress } = request;
    const { reasonCode, username = claimed, grant } = decision;
    if (reasonCode !== ReasonCode.success) return decision;
    if (!this.isStillAuthorized({ clientId, username, grant })) {
      return refuse('the password or key changed during the login');
    }
    this.#knownLogins.remember(remoteAddress, username);
    return decision;
  }

  /** For parts of the node itself, which may do everything. */
  static readonly trusted: unknown = new Grant('nothing', {
    passwords: undefined,
    acl: undefined,
    tokenKeys: undefined,
    http: undefined,
    anonymous: true,
    needsCertificate: false,
    isOpen: true,
  });

  #count(decision: AuthDecision): AuthDecision {
    const isIdle =
      this.#queue.waiting === 0 && this.#policies.callbacks.every(({ waiting }) => waiting === 0);
    if (isIdle) this.#resolve(BUSY, 'logins are no longer refused as too many');
    if (decision.reasonCode === ReasonCode.success) this.counters.accepted += 1;
    else this.counters.refused += 1;
    return decision;
  }

  /** Reports the end of a fault that was reported before. */
  #resolve(fault: string, event: string): void {
    if (this.#faults.size === 0) return;
    const lastedMs = this.#faults.resolve(fault, this.#context.now());
    if (lastedMs !== undefined) this.#context.log.info(event, { lastedMs });
  }

  /** Undefined if the client has to prove itself. */
  #decideWithoutProof(request: ConnectRequest, policy: ListenerPolicy): AuthDecision | undefined {
    const { username, password, listener } = request;
    if (listener.certificateName !== undefined) {
      return accept(new Grant('certificate', policy), listener.certificateName);
    }
    const isNameless = username === undefined && password === undefined;
    const { isCertified = false } = listener;
    switch (this.#admits(policy, isNameless, isCertified)) {
      case true:
        return accept(new Grant('nothing', policy, isCertified ? 'certificate' : undefined));
      case false:
        return { reasonCode: ReasonCode.notAuthorized, reason: 'no user name, or no certificate' };
      default:
        return undefined;
    }
  }

  /** Whether a client may connect without a proof; undefined if it has to bring one. */
  #admits(
    { passwords, tokenKeys, http, anonymous, needsCertificate }: ListenerPolicy,
    isNameless: boolean,
    isCertified: boolean,
  ): boolean | undefined {
    // The listener enforces this for new connections; older ones are judged here.
    if (needsCertificate && !isCertified) return false;
    const needsProof = [passwords, tokenKeys, http].some((part) => part !== undefined);
    return needsProof && !isNameless ? undefined : (anonymous ?? !needsProof);
  }

  async #decide(request: ConnectRequest, policy: ListenerPolicy): Promise<AuthDecision> {
    const { username, password, clientId, remoteAddress } = request;
    const { tokenKeys, http } = policy;
    if (tokenKeys !== undefined && password !== undefined && looksLikeToken(password)) {
      return this.#decideByToken(password, tokenKeys.value, policy, remoteAddress);
    }
    if (username === undefined) return refuse('the client sent a password without a user name');
    const lane = this.#knownLogins.laneOf(remoteAddress, username);
    const isEmpty = password === undefined || password.length === 0;
    const verifier = policy.passwords?.value;
    if (verifier !== undefined && (verifier.has(username) || http === undefined)) {
      const credential = verifier.textOf(username);
      const isRight = await verifier.check(username, password, lane);
      if (isRight) return accept(new Grant('password', policy, credential));
      // The client does not learn the difference; only the log has it.
      if (!verifier.has(username)) return refuse('unknown user');
      return refuse(isEmpty ? 'no password was sent' : 'wrong password');
    }
    if (http === undefined) return refuse('the password is not a token');
    // Never asked for: a server may treat an empty password as none needed, as LDAP does.
    if (isEmpty) return refuse('no password was sent');
    const acceptance = await http.ask({ username, password, clientId, remoteAddress }, lane);
    this.#resolve(SERVER_FAILS, 'the authentication server answers again');
    if (acceptance === undefined) return refuse('the authentication server refused the client');
    const grant = new Grant('http', policy, undefined, acceptance.topics);
    return this.#acceptUntil(acceptance.expiresAtMs, grant, username);
  }

  async #decideByToken(
    password: Buffer,
    keys: readonly TokenKey[],
    policy: ListenerPolicy,
    address: string,
  ): Promise<AuthDecision> {
    const { tokenIssuer: issuer, tokenAudience: audience } = this.#options;
    const { tokenExpiryRequired: needsExpiry = false } = this.#options;
    const rules = { issuer, audience, needsExpiry };
    const now = this.#context.wallClock();
    const check = () => checkToken(password, keys, rules, now);
    const token = await this.#queue.run(check, this.#knownLogins.laneOf(address, undefined));
    if (typeof token === 'string') return refuse(token);
    const grant = new Grant('token', policy, token.keyId, token.topics);
    return this.#acceptUntil(token.expiresAtMs, grant, token.username);
  }

  #acceptUntil(expiresAtMs: number | undefined, grant: Grant, username: string): AuthDecision {
    if (expiresAtMs === undefined) return accept(grant, username);
    const expiresInMs = expiresAtMs - this.#context.wallClock();
    if (expiresInMs > 0) return { ...accept(grant, username), expiresInMs };
    return refuse(`expired at ${new Date(expiresAtMs).toISOString()}`);
  }

  #fault(
    error: unknown,
    { clientId: client, username: user, listener }: ConnectRequest,
  ): AuthDecision {
    const reason = error instanceof Error ? error.message : String(error);
    const { log } = this.#context;
    const now = this.#context.now();
    if (error instanceof BusyError) {
      this.counters.busy += 1;
      const { busy } = this.counters;
      if (this.#faults.report(BUSY, now)) log.warn('logins are refused: too many wait', { busy });
      return { reasonCode: ReasonCode.serverBusy, reason };
    }
    if (error instanceof CallbackError) {
      const event = 'the authentication server failed';
      if (this.#faults.report(SERVER_FAILS, now)) {
        const url = this.#policies.find(listener.name)?.http?.address;
        log.warn(event, { url, client, user, reason });
      }
      return { reasonCode: ReasonCode.serverUnavailable, reason: event };
    }
    log.warn('authentication failed', { client, user, reason });
    return { reasonCode: ReasonCode.unspecifiedError, reason };
  }

  get work(): number {
    return evaluationCost.rules;
  }

  mayPublish(identity: Identity, topic: string): boolean {
    return this.#policies.mayPublish(identity, topic);
  }

  rulesOf(identity: Identity): readonly AccessRule[] | undefined {
    return this.#policies.rulesOf(identity);
  }

  mayReceive(identity: Identity, topic: string): boolean {
    return this.#policies.mayReceive(identity, topic);
  }

  mayReceiveAll(identity: Identity, filter: string): boolean {
    return this.#policies.mayReceiveAll(identity, filter);
  }

  subscriptionRefusal(identity: Identity, filter: string): number {
    return this.#policies.subscriptionRefusal(identity, filter);
  }

  isStillAuthorized(identity: Identity): boolean {
    const { username } = identity;
    const grant = grantOf(identity);
    if (grant === undefined) return true;
    const { by, policy, credential } = grant;
    if (!policy.isOpen) return false;
    if (by === 'nothing') {
      return this.#admits(policy, username === undefined, credential !== undefined) === true;
    }
    if (by === 'password') return policy.passwords?.value.textOf(username ?? '') === credential;
    return by !== 'token' || policy.tokenKeys?.value.some(({ id }) => id === credential) === true;
  }

  /**
   * Reads all files again, including those of new and changed listeners. An invalid file is logged and
   * counted, and its last valid version stays in force. The caller must apply the new permissions to
   * connected clients (Broker.applyRights).
   * @param kept listeners that keep their files, because something else about them is invalid
   */
  async reload(
    options: AccessOptions,
    kept: ReadonlySet<string> = new Set(),
  ): Promise<AccessReload> {
    const faults: string[] = [];
    const wrong = new Set<string>();
    const unchanged = await this.#readFiles(options, kept, (option, error) => {
      const problems = problemsOf(error);
      faults.push(problems[0] ?? option);
      wrong.add(option);
      for (const problem of problems) {
        this.#context.log.error(KEPT, { option, problem });
      }
    });
    for (const option of FILE_OPTIONS) this.#noteFiles(option, wrong.has(option));
    for (const callback of this.#policies.callbacks) callback.clearCache();
    this.counters.reloads += 1;
    this.counters.failedReloads += faults.length;
    return { faults, kept: unchanged };
  }

  /** The lines about what is wrong name the problem; this one says that it is over. */
  #noteFiles(option: string, isWrong: boolean): void {
    const now = this.#context.now();
    if (isWrong) {
      this.#faults.report(option, now);
      return;
    }
    const lastedMs = this.#faults.resolve(option, now);
    if (lastedMs !== undefined)
      this.#context.log.info('files are valid again', { option, lastedMs });
  }

  metrics(): ValuesOf<'access'> {
    const { permissionEvictions, ...counters } = this.counters;
    const evictions = this.#policies.callbacks.map((callback) => callback.evictions);
    const cacheEvictions = evictions.reduce((sum, one) => sum + one, permissionEvictions);
    return { ...counters, cacheEvictions };
  }

  close(): void {
    for (const callback of this.#policies.callbacks) callback.close();
  }
}

function problemsOf(error: unknown): readonly string[] {
  return error instanceof AccessError ? error.problems : [String(error)];
}

async function parsePasswords(
  path: string,
  source: Buffer,
  queue: FairQueue,
  previous: PasswordVerifier | undefined,
): Promise<PasswordVerifier> {
  const { users, problems } = await runInSlices(readPasswordFile(path, source));
  if (problems.length > 0) throw new AccessError(problems);
  return new PasswordVerifier(users, queue, previous);
}

async function parseAcl(
  path: string,
  source: Buffer,
  onEviction: () => void,
): Promise<PermissionCache> {
  const { acl, problems } = await runInSlices(readAcl(path, source));
  if (problems.length > 0) throw new AccessError(problems);
  return new PermissionCache(acl, onEviction);
}

async function parseTokenKeys(path: string, source: Buffer): Promise<readonly TokenKey[]> {
  return readTokenKeys(path, source.toString('utf8'));
}

function accept(grant: Grant, username?: string): AuthDecision {
  return { reasonCode: ReasonCode.success, grant, ...(username !== undefined && { username }) };
}

function refuse(reason: string): AuthDecision {
  return { reasonCode: ReasonCode.badUserNameOrPassword, reason };
}
