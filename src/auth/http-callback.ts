// Asks an HTTP server whether a client may connect. Fails closed: any answer but a clear acceptance is a
// refusal, and no client is admitted while the server fails. Acceptances are cached for a while, so that
// a storm of reconnecting clients does not become a storm of requests. Redirects are not followed.

import { createHmac, randomBytes } from 'node:crypto';
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { describeSystemError } from '../shared/describe-system-error.ts';
import { FairQueue } from './fair-queue.ts';
import type { Lane } from './known-logins.ts';
import type { TopicClaims } from './permissions.ts';
import { SharedCache } from './shared-cache.ts';
import { readTopicClaims } from './topic-claims.ts';

const TIMEOUT_MS = 5000;
const ANSWER_BYTES_MAX = 65_536;
const CACHED_MAX = 10_000;
const QUEUE_LIMITS = { parallelMax: 32, waitingMax: 4096, waitMsMax: 5000 };

export interface HttpCallbackOptions {
  readonly url: string;
  readonly format: 'form' | 'json';
  /** How long an acceptance is cached, in ms; 0: not at all. */
  readonly cacheMs: number;
  /** Acceptances in the cache. */
  readonly cachedMax?: number;
}

export interface LoginRequest {
  readonly username: string;
  readonly password: Buffer | undefined;
  readonly clientId: string;
  readonly remoteAddress: string;
}

export interface HttpAcceptance {
  readonly topics: TopicClaims | undefined;
  /** Wall clock, in ms since 1970. */
  readonly expiresAtMs: number | undefined;
}

/** The server could not be asked, or its answer was invalid. */
export class CallbackError extends Error {
  override readonly name = 'CallbackError';
}

export interface Clocks {
  /** Monotonic clock, in ms. */
  now(): number;
  /** Wall clock, in ms since 1970. */
  wallClock(): number;
}

interface CachedAcceptance {
  /** By the monotonic clock, in ms. */
  readonly until: number;
  readonly acceptance: HttpAcceptance;
}

export class HttpCallback {
  /** The server's URL for the log, without user, password and query. */
  readonly address: string;
  readonly #options: HttpCallbackOptions;
  readonly #clocks: Clocks;
  readonly #queue: FairQueue;
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #key = randomBytes(32);
  readonly #cache: SharedCache<CachedAcceptance>;

  constructor(options: HttpCallbackOptions, clocks: Clocks) {
    const { origin, pathname } = new URL(options.url);
    this.address = origin + pathname;
    this.#options = options;
    this.#clocks = clocks;
    this.#cache = new SharedCache(options.cachedMax ?? CACHED_MAX);
    this.#queue = new FairQueue(QUEUE_LIMITS, clocks.now);
    const settings = { keepAlive: true, maxSockets: QUEUE_LIMITS.parallelMax };
    const isSecure = options.url.startsWith('https:');
    this.#agent = isSecure ? new HttpsAgent(settings) : new HttpAgent(settings);
  }

  /** Resolves with undefined for a refusal. Rejects with CallbackError or BusyError. */
  async ask(request: LoginRequest, lane?: Lane): Promise<HttpAcceptance | undefined> {
    const key = this.#keyOf(request);
    const known = this.#cache.get(key);
    if (known !== undefined && known.until > this.#clocks.now()) return known.acceptance;
    const acceptance = await this.#queue.run(() => this.#post(request), lane);
    if (acceptance !== undefined) this.#remember(key, request.username, acceptance);
    return acceptance;
  }

  /** Makes the next login of every client a request again. */
  clearCache(): void {
    this.#cache.clear();
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Never beyond the expiry of the acceptance: the server must be asked again then. */
  #remember(key: string, username: string, acceptance: HttpAcceptance): void {
    const { expiresAtMs = Number.POSITIVE_INFINITY } = acceptance;
    const ms = Math.min(this.#options.cacheMs, expiresAtMs - this.#clocks.wallClock());
    if (ms <= 0) return;
    this.#cache.set(key, username, { until: this.#clocks.now() + ms, acceptance });
  }

  /** Logins that wait for their request. */
  get waiting(): number {
    return this.#queue.waiting;
  }

  /** Acceptances removed from the cache to make room. */
  get evictions(): number {
    return this.#cache.evictions;
  }

  /** A keyed digest of everything that the server receives, so that no password stays in memory. */
  #keyOf({ username, password, clientId, remoteAddress }: LoginRequest): string {
    const parts = [username, clientId, remoteAddress, password?.toString('base64') ?? null];
    return createHmac('sha256', this.#key).update(JSON.stringify(parts)).digest('base64');
  }

  async #post({ username, password, clientId, remoteAddress }: LoginRequest) {
    const { format } = this.#options;
    const fields = {
      clientid: clientId,
      username,
      // Some servers expect this name.
      user: username,
      password: password?.toString('utf8') ?? '',
      ipaddr: remoteAddress,
    };
    const isJson = format === 'json';
    const body = isJson ? JSON.stringify(fields) : new URLSearchParams(fields).toString();
    const type = isJson ? 'application/json' : 'application/x-www-form-urlencoded';
    const { status, text } = await this.#send(body, type);
    return readAnswer(status, text);
  }

  #send(body: string, type: string): Promise<{ status: number; text: string }> {
    const { url } = this.#options;
    const request = url.startsWith('https:') ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      const fail = (reason: string): void => reject(new CallbackError(reason));
      const outgoing = request(url, {
        method: 'POST',
        agent: this.#agent,
        signal: AbortSignal.timeout(TIMEOUT_MS),
        headers: { 'content-type': type, 'content-length': Buffer.byteLength(body) },
      });
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        const isLate = error.name === 'AbortError';
        fail(isLate ? `no answer within ${TIMEOUT_MS} ms` : describeSystemError(error, 'network'));
      });
      outgoing.on('response', (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
          if (text.length > ANSWER_BYTES_MAX) outgoing.destroy(new Error('the answer is too long'));
        });
        response.on('error', (error) => fail(describeSystemError(error, 'network')));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      });
      outgoing.end(body);
    });
  }
}

/**
 * Acceptance: status 2xx with `allow`, `1`, `true`, `ok`, an empty body, or JSON with `result: "allow"`.
 * Refusal (undefined): 4xx, or 2xx with `deny`, `ignore`, `0`, `false` or another `result`.
 * @throws CallbackError for any other answer
 */
function readAnswer(status: number, text: string): HttpAcceptance | undefined {
  if (status >= 400 && status < 500) return undefined;
  if (status >= 300 && status < 400) {
    throw new CallbackError(`status ${status}: redirects are not followed`);
  }
  if (status < 200 || status > 299) throw new CallbackError(`status ${status}`);
  const word = text.trim().toLowerCase();
  if (word.startsWith('{')) return readJson(text);
  if (['', '1', 'true', 'ok', 'allow'].includes(word)) {
    return { topics: undefined, expiresAtMs: undefined };
  }
  if (['0', 'false', 'deny', 'ignore'].includes(word)) return undefined;
  throw new CallbackError('the answer is neither allow nor deny');
}

function readJson(text: string): HttpAcceptance | undefined {
  let answer: Readonly<Record<string, unknown>>;
  try {
    answer = JSON.parse(text) as Readonly<Record<string, unknown>>;
  } catch {
    throw new CallbackError('the answer is not valid JSON');
  }
  if (answer.result !== 'allow') return undefined;
  // Ignoring it would permit more than the server intends.
  if (answer.acl !== undefined) throw new CallbackError('acl in an answer is not supported');
  const topics = readTopicClaims(answer);
  if (topics === 'invalid') throw new CallbackError('publ and subs must be lists of topic filters');
  const { expire_at: expiresAt } = answer;
  if (expiresAt === undefined) return { topics, expiresAtMs: undefined };
  if (typeof expiresAt !== 'number') throw new CallbackError('expire_at must be a number');
  return { topics, expiresAtMs: expiresAt * 1000 };
}
