// A list of the API that is read page by page, as far as the reader scrolls.

import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, call, type Query } from './api.ts';

const PAGE_ITEMS = 200;
/** A person who types sends one request and not one for each letter. */
const TYPING_MS = 200;

interface PageAnswer<T> {
  readonly items: readonly T[];
  readonly total: number;
  readonly next?: string;
  readonly missing?: readonly { readonly node: string; readonly problem: string }[];
}

export interface Pages<T> {
  readonly items: readonly T[];
  readonly total: number;
  /** Nodes that did not answer. */
  readonly missing: readonly string[];
  readonly error: ApiError | undefined;
  readonly isLoading: boolean;
  /** Reads the next page, if there is one. */
  more(): void;
  /** Reads the list again from its beginning. */
  reload(): void;
}

const NOTHING = { items: [], total: 0, missing: [], next: undefined, error: undefined };

/** @param query another one begins the list anew */
export function usePages<T>(path: string, query: Query): Pages<T> {
  const [pages, setPages] = useState<{
    readonly items: readonly T[];
    readonly total: number;
    readonly missing: readonly string[];
    readonly next: string | undefined;
    readonly error: ApiError | undefined;
  }>(NOTHING);
  const [isLoading, setLoading] = useState(true);
  const [attempt, setAttempt] = useState(0);
  const ending = useRef(new AbortController());
  const wanted = JSON.stringify(query);

  async function read(after: string | undefined, signal: AbortSignal): Promise<void> {
    setLoading(true);
    try {
      const answer = await call<PageAnswer<T>>('GET', path, {
        query: { ...query, limit: PAGE_ITEMS, after },
        signal,
      });
      const missing = (answer.missing ?? []).map(({ node, problem }) => `${node}: ${problem}`);
      setPages((before) => ({
        items: after === undefined ? answer.items : [...before.items, ...answer.items],
        total: answer.total,
        next: answer.next,
        missing,
        error: undefined,
      }));
    } catch (error) {
      if (signal.aborted) return;
      const fault = error instanceof ApiError ? error : new ApiError(0, String(error));
      setPages((before) => ({ ...before, error: fault }));
    }
    setLoading(false);
  }

  // `wanted` is the query as one value.
  useEffect(() => {
    const controller = new AbortController();
    ending.current = controller;
    const timer = setTimeout(() => void read(undefined, controller.signal), TYPING_MS);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [path, wanted, attempt]);

  return {
    ...pages,
    isLoading,
    more: () => {
      if (!isLoading && pages.next !== undefined) void read(pages.next, ending.current.signal);
    },
    reload: () => setAttempt((count) => count + 1),
  };
}
