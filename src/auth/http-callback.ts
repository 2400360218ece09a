// Asks an HTTP server whether a client may come in. Fails closed: whatever is not a clear yes is a
// no, and a server that can't be asked lets nobody in. A yes is remembered for a while, so that a
// storm of reconnecting clients does not become one of requests. Redirects are not followed.

import { createHmac, randomBytes } from 'node:crypto';
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { FairQueue } from './fair-queue.ts';
import type { TopicClaims } from './permissions.ts';
import { readGrantedTopics } from './topic-claims.ts';

const TIMEOUT_MS = 5000;
const ANSWER_BYTES_MAX = 65_536;
const REMEMBERED_MAX = 10_000;
const LINE_LIMITS = { parallelMax: 32, waitingMax: 4096, waitMsMax: 5000 };

export interface HttpCallbackOptions {
  readonly url: string;
  readonly format: 'form' | 'json';
  /** How long a yes is remembered; 0: not at all. */
  readonly rememberMs: number;
}

export interface Question {
  readonly username: string;
  readonly password: Buffer | undefined;
  readonly clientId: string;
  readonly remoteAddress: string;
}

export interface HttpYes {
  readonly topics: TopicClaims | undefined;
  /** Wall clock, milliseconds. */
  readonly expiresAtMs: number | undefined;
}

/** The server could not be asked, or said neither yes nor no. */
export class CallbackError extends Error {
  override readonly name = 'CallbackError';
}

export class HttpCallback {
  /** The server's address for the log: without user, password and query. */
  readonly place: string;
  readonly #options: HttpCallbackOptions;
  readonly #now: () => number;
  readonly #line: FairQueue;
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #key = randomBytes(32);
  /** In the order of their times. */
  readonly #remembered = new Map<string, { readonly until: number; readonly yes: HttpYes }>();

  /** @param now milliseconds of a clock that never goes back */
  constructor(options: HttpCallbackOptions, now: () => number) {
    const { origin, pathname } = new URL(options.url);
    this.place = origin + pathname;
    this.#options = options;
    this.#now = now;
    this.#line = new FairQueue(LINE_LIMITS, now);
    const settings = { keepAlive: true, maxSockets: LINE_LIMITS.parallelMax };
    const isSecure = options.url.startsWith('https:');
    this.#agent = isSecure ? new HttpsAgent(settings) : new HttpAgent(settings);
  }

  /** Undefined is a no. Rejects with CallbackError or BusyError. */
  async ask(question: Question): Promise<HttpYes | undefined> {
    const key = this.#keyOf(question);
    const known = this.#remembered.get(key);
    if (known !== undefined && known.until > this.#now()) return known.yes;
    const yes = await this.#line.run(() => this.#post(question), question.remoteAddress);
    if (yes !== undefined) this.#remember(key, yes);
    return yes;
  }

  /** Every client's next login is asked about again. */
  forget(): void {
    this.#remembered.clear();
  }

  close(): void {
    this.#agent.destroy();
  }

  #remember(key: string, yes: HttpYes): void {
    const { rememberMs } = this.#options;
    if (rememberMs === 0) return;
    this.#remembered.delete(key);
    for (const oldest of this.#remembered.keys()) {
      if (this.#remembered.size < REMEMBERED_MAX) break;
      this.#remembered.delete(oldest);
    }
    this.#remembered.set(key, { until: this.#now() + rememberMs, yes });
  }

  /** Of all that the server is told. No password stays in memory for the sake of remembering. */
  #keyOf({ username, password, clientId, remoteAddress }: Question): string {
    const parts = [username, clientId, remoteAddress, password?.toString('base64') ?? null];
    return createHmac('sha256', this.#key).update(JSON.stringify(parts)).digest('base64');
  }

  async #post({ username, password, clientId, remoteAddress }: Question) {
    const { format } = this.#options;
    const fields = {
      clientid: clientId,
      username,
      // Some servers know the field under this name.
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
        // A name with several addresses, all of which fail, brings a code and no message.
        const { name, message, code = '' } = error;
        fail(name === 'AbortError' ? `no answer within ${TIMEOUT_MS} ms` : message || code);
      });
      outgoing.on('response', (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
          if (text.length > ANSWER_BYTES_MAX) outgoing.destroy(new Error('the answer is too long'));
        });
        response.on('error', (error) => fail(error.message));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      });
      outgoing.end(body);
    });
  }
}

/**
 * Yes: status 2xx with `allow`, `1`, `true`, nothing, or JSON with `result: "allow"`. No: 4xx, or
 * 2xx with another of these words.
 */
function readAnswer(status: number, text: string): HttpYes | undefined {
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

function readJson(text: string): HttpYes | undefined {
  let answer: Readonly<Record<string, unknown>>;
  try {
    answer = JSON.parse(text) as Readonly<Record<string, unknown>>;
  } catch {
    throw new CallbackError('the answer is not valid JSON');
  }
  if (answer.result !== 'allow') return undefined;
  // To overlook it would let the client do more than the server meant.
  if (answer.acl !== undefined) throw new CallbackError('acl in an answer is not supported');
  const topics = readGrantedTopics(answer);
  if (topics === 'invalid') throw new CallbackError('publ and subs have to be topic filters');
  const { expire_at: expiresAt } = answer;
  if (expiresAt === undefined) return { topics, expiresAtMs: undefined };
  if (typeof expiresAt !== 'number') throw new CallbackError('expire_at has to be a number');
  return { topics, expiresAtMs: expiresAt * 1000 };
}
