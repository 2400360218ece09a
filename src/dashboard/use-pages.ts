// A list of the API that is read page by page, as far as the reader scrolls, and again when it has changed.

import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, call, type Query } from './api.ts';

const PAGE_ITEMS = 200;
/** What was read in several pages is read again in one, up to this many items; more would move under the reader. */
const READ_AGAIN_ITEMS_MAX = 400;
/** A person who types sends one request and not one for each letter. */
const TYPING_MS = 200;
/** A list that changes all the time is read again this often. */
const READ_AGAIN_MS = 2_000;

interface PageAnswer<T> {
  readonly items: readonly T[];
  readonly total: number;
  readonly next?: string;
  readonly missing?: readonly { readonly node: string; readonly problem: string }[];
}

interface PagesRead<T> {
  readonly items: readonly T[];
  readonly total: number;
  /** Nodes that did not answer. */
  readonly missing: readonly string[];
  readonly error: ApiError | undefined;
  /** There are more items than those. */
  readonly hasMore: boolean;
  /** False until the first answer. */
  readonly isRead: boolean;
}

export interface Pages<T> extends PagesRead<T> {
  /** Reads the next page, if there is one. */
  more(): void;
  /** Reads the list again from its beginning. */
  reload(): void;
}

const NOTHING = {
  items: [],
  total: 0,
  missing: [],
  next: undefined,
  error: undefined,
  hasMore: false,
  isRead: false,
};

/**
 * @param query another one begins the list anew
 * @param change another value means that the list has changed
 */
export function usePages<T>(path: string, query: Query, change = ''): Pages<T> {
  const [pages, setPages] = useState<PagesRead<T> & { readonly next: string | undefined }>(NOTHING);
  const isReading = useRef(false);
  const ending = useRef(new AbortController());
  const read = useRef({ change, at: 0, attempt: 0 });
  const [attempt, setAttempt] = useState(0);
  const wanted = JSON.stringify(query);

  async function readPage(after: string | undefined, limit: number): Promise<void> {
    const { signal } = ending.current;
    isReading.current = true;
    try {
      const answer = await call<PageAnswer<T>>('GET', path, {
        query: { ...query, limit, after },
        signal,
      });
      setPages((before) => ({
        items: after === undefined ? answer.items : [...before.items, ...answer.items],
        total: answer.total,
        next: answer.next,
        hasMore: answer.next !== undefined,
        missing: (answer.missing ?? []).map(({ node, problem }) => `${node}: ${problem}`),
        error: undefined,
        isRead: true,
      }));
    } catch (error) {
      if (signal.aborted) return;
      const fault = error instanceof ApiError ? error : new ApiError(0, String(error));
      setPages((before) => ({ ...before, error: fault, isRead: true }));
    }
    isReading.current = false;
    read.current.at = performance.now();
  }

  // `wanted` is the query as one value.
  useEffect(() => {
    ending.current.abort();
    ending.current = new AbortController();
    const delayMs = read.current.at === 0 || attempt !== read.current.attempt ? 0 : TYPING_MS;
    read.current = { ...read.current, change, attempt };
    const timer = setTimeout(() => void readPage(undefined, PAGE_ITEMS), delayMs);
    return () => {
      clearTimeout(timer);
      ending.current.abort();
    };
  }, [path, wanted, attempt]);

  useEffect(() => {
    if (change === read.current.change || pages.items.length > READ_AGAIN_ITEMS_MAX) return;
    const delayMs = Math.max(0, READ_AGAIN_MS - (performance.now() - read.current.at));
    const timer = setTimeout(() => {
      read.current.change = change;
      void readPage(undefined, Math.max(PAGE_ITEMS, pages.items.length));
    }, delayMs);
    return () => clearTimeout(timer);
  }, [change, pages]);

  return {
    ...pages,
    more: () => {
      if (!isReading.current && pages.next !== undefined) void readPage(pages.next, PAGE_ITEMS);
    },
    reload: () => setAttempt((count) => count + 1),
  };
}
