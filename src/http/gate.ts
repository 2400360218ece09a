// Who may call what. Over the control socket everyone who can open it may do everything: the file system
// has checked the owner. Over TCP, reading from this machine is free; all else needs a token, and what a
// browser sends for another site is refused. Refusals are counted and logged; an address that guesses
// tokens has to wait. Invariant: the addresses that are remembered are bounded.

import type { IncomingHttpHeaders } from 'node:http';
import { performance } from 'node:perf_hooks';
import { isLoopback } from '../shared/endpoint.ts';
import { LogLimiter } from '../shared/log-limiter.ts';
import type { Logger } from '../shared/logger.ts';
import { HttpProblem } from './problem.ts';
import type { Access, Caller } from './route.ts';
import type { TokenStore } from './token-store.ts';

/** Wrong tokens of one address until it has to wait, and for how long, ms. */
const GUESSES_MAX = 10;
const WAIT_MS = 60_000;
const ADDRESSES_MAX = 1024;
/** What proxies, tunnels and content networks add. */
const PROXY_HEADER =
  /^(forwarded|via|x-forwarded(-.+)?|(x-|true-|cf-|fastly-)?(real|client|connecting|cluster-client|original)-ip|x-original-.+)$/;

export interface Visitor {
  readonly headers: IncomingHttpHeaders;
  /** As in the request: `1.1`. */
  readonly httpVersion: string;
  /** Address of the peer; empty on the control socket. */
  readonly from: string;
  readonly access: Access;
}

export interface Gate {
  /** Rejects with an HttpProblem. */
  admit(visitor: Visitor): Promise<Caller>;
}

export const controlGate: Gate = {
  admit: async () => ({ kind: 'control', from: '' }),
};

/** Why requests over TCP were refused. */
export interface Refusals {
  token: number;
  guesses: number;
  site: number;
  host: number;
}

export class TcpGate implements Gate {
  readonly refusals: Refusals = { token: 0, guesses: 0, site: 0, host: 0 };
  readonly #tokens: TokenStore;
  readonly #log: Logger;
  readonly #limiter = new LogLimiter();
  readonly #isOpen: () => boolean;
  readonly #guesses = new Map<string, { count: number; since: number }>();

  /** @param isOpen whether every client may have every message without a password */
  constructor(tokens: TokenStore, log: Logger, isOpen: () => boolean) {
    this.#isOpen = isOpen;
    this.#tokens = tokens;
    this.#log = log;
  }

  async admit({ headers, httpVersion, from, access }: Visitor): Promise<Caller> {
    if (isOfAnotherSite(headers)) {
      throw this.#refuse('site', from, 403, 'Requests from pages of another site are refused.');
    }
    const token = /^Bearer (\S{1,256})$/i.exec(headers.authorization ?? '')?.[1];
    if (token !== undefined) return this.#checkToken(token, from);
    if (
      access === 'change' ||
      (access === 'content' && !this.#isOpen()) ||
      !isLoopback(from) ||
      isPassedOn(headers, httpVersion)
    ) {
      const text =
        'This needs a token, as Authorization: Bearer TOKEN; shoal token http makes one.';
      throw this.#refuse('token', from, 401, text);
    }
    if (!namesThisMachine(headers)) {
      const text = 'Without a token, this node is reached as localhost or 127.0.0.1 only.';
      throw this.#refuse('host', from, 421, text);
    }
    return { kind: 'http', from };
  }

  async #checkToken(token: string, from: string): Promise<Caller> {
    // A caller that shares the address of a guesser, as all do behind a proxy, keeps its token.
    if (this.#tokens.isVerified(token)) return { kind: 'http', from };
    const now = performance.now();
    const guesses = this.#guesses.get(from);
    if (guesses !== undefined && now - guesses.since > WAIT_MS) this.#guesses.delete(from);
    else if (guesses !== undefined && guesses.count >= GUESSES_MAX) {
      throw this.#refuse('guesses', from, 429, 'Too many wrong tokens: wait a minute.');
    }
    const result = await this.#tokens.verify(token);
    if (result === 'valid') return { kind: 'http', from };
    if (result === 'busy') throw new HttpProblem(429, 'Other tokens are being checked: try again.');
    this.#countGuess(from, now);
    throw this.#refuse('token', from, 401, 'This token is not valid; shoal token http makes one.');
  }

  #countGuess(from: string, now: number): void {
    const guesses = this.#guesses.get(from) ?? { count: 0, since: now };
    guesses.count += 1;
    this.#guesses.delete(from);
    this.#guesses.set(from, guesses);
    const [oldest] = this.#guesses.keys();
    if (this.#guesses.size > ADDRESSES_MAX && oldest !== undefined) this.#guesses.delete(oldest);
  }

  #refuse(reason: keyof Refusals, from: string, status: number, text: string): HttpProblem {
    this.refusals[reason] += 1;
    const count = this.#limiter.admit(`${reason} ${from}`, performance.now());
    if (count > 0) this.#log.warn('HTTP request refused', { from, reason: text, count });
    return new HttpProblem(status, text);
  }
}

/**
 * What a page of another site sends from a browser. A link that is followed there is no such request; a
 * frame in that page is, since frames with streams would take all streams of the node.
 */
function isOfAnotherSite(headers: IncomingHttpHeaders): boolean {
  const { origin, host = '' } = headers;
  const isOwn = origin === undefined || origin === `http://${host}` || origin === `https://${host}`;
  const isInPage = !['document', undefined].includes(
    headers['sec-fetch-dest'] as string | undefined,
  );
  const isLink = headers['sec-fetch-mode'] === 'navigate' && !isInPage;
  const isForeignFetch = headers['sec-fetch-site'] === 'cross-site' && !isLink;
  return !isOwn || isForeignFetch;
}

/**
 * A proxy on this machine passes on requests of others. nginx adds no header of its own as it comes, but
 * speaks HTTP/1.0, which no browser, curl or Prometheus does.
 */
function isPassedOn(headers: IncomingHttpHeaders, httpVersion: string): boolean {
  if (httpVersion === '1.0') return true;
  return Object.keys(headers).some((name) => PROXY_HEADER.test(name));
}

/**
 * True for names that no stranger can point at this machine: DNS rebinding gives a page of another site
 * the address 127.0.0.1, but it still sends its own name.
 */
function namesThisMachine({ host = '' }: IncomingHttpHeaders): boolean {
  const name = host.replace(/:\d{1,5}$/, '').toLowerCase();
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(name);
}
