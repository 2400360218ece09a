// Requests to the node that serves the page. Invariant: the token is in a header, and in the session
// storage of this tab; it is never part of an address that a log could keep.

import { SentEventReader } from '../shared/sent-events.ts';

const TOKEN_KEY = 'shoal-token';
const RETRY_MS_MIN = 1_000;
const RETRY_MS_MAX = 15_000;

/** A request that the node refused, or did not answer. The message is a sentence for the reader. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** Status of HTTP; 0 without an answer. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }

  get needsToken(): boolean {
    return this.status === 401;
  }
}

/** `shoal dashboard` prints an address with the token behind a #, which a browser sends to no one. */
export function takeTokenFromAddress(): void {
  const token = /^#token=(\S+)$/.exec(location.hash)?.[1];
  if (token === undefined) return;
  setToken(token);
  history.replaceState(null, '', location.pathname);
}

export function setToken(token: string): void {
  sessionStorage.setItem(TOKEN_KEY, token);
}

export function hasToken(): boolean {
  return sessionStorage.getItem(TOKEN_KEY) !== null;
}

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

function addressOf(path: string, query: Query): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') search.set(name, String(value));
  }
  return search.size === 0 ? path : `${path}?${search}`;
}

function headersOf(body: unknown): Record<string, string> {
  const token = sessionStorage.getItem(TOKEN_KEY);
  return {
    ...(token !== null && { authorization: `Bearer ${token}` }),
    ...(body !== undefined && { 'content-type': 'application/json' }),
  };
}

/** Rejects with ApiError. */
async function send(
  method: string,
  path: string,
  query: Query,
  body: unknown,
  signal?: AbortSignal,
): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(addressOf(path, query), {
      method,
      headers: headersOf(body),
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, 'The node does not answer.');
  }
  if (response.ok) return response;
  const problem = (await response.json().catch(() => ({}))) as { detail?: string };
  throw new ApiError(response.status, problem.detail ?? `The node answered ${response.status}.`);
}

/** @returns the JSON of the answer; rejects with ApiError */
export async function call<T>(
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  { query = {}, body, signal }: { query?: Query; body?: unknown; signal?: AbortSignal } = {},
): Promise<T> {
  const response = await send(method, path, query, body, signal);
  return (await response.json()) as T;
}

export interface Follower {
  event(name: string, data: unknown): void;
  /** The stream does not run; it is opened again unless the node refused it. */
  broken(error: ApiError): void;
}

/**
 * Follows a stream of server-sent events, and opens it again when it breaks. An EventSource can't carry
 * the token, so the stream is read by fetch.
 * @returns ends it
 */
export function follow(path: string, query: Query, follower: Follower): () => void {
  const ending = new AbortController();
  const { signal } = ending;
  void keepReading();
  return () => ending.abort();

  async function keepReading(): Promise<void> {
    let retryMs = RETRY_MS_MIN;
    while (!signal.aborted) {
      try {
        const response = await send('GET', path, query, undefined, signal);
        await readEvents(response, (name, data) => {
          retryMs = RETRY_MS_MIN;
          follower.event(name, data);
        });
        throw new ApiError(0, 'The node has ended the stream.');
      } catch (error) {
        if (signal.aborted) return;
        const fault = error instanceof ApiError ? error : new ApiError(0, 'The connection broke.');
        follower.broken(fault);
        if (fault.status >= 400 && fault.status < 500 && fault.status !== 429) return;
      }
      await new Promise((resolve) => setTimeout(resolve, retryMs));
      retryMs = Math.min(2 * retryMs, RETRY_MS_MAX);
    }
  }
}

/** Resolves when the stream ends. */
async function readEvents(
  response: Response,
  take: (name: string, data: unknown) => void,
): Promise<void> {
  if (response.body === null) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const events = new SentEventReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    for (const { event, data } of events.take(value)) take(event, data);
  }
}
