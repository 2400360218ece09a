// Lists that come in pages: by a key that orders them, so that a page neither repeats nor leaves out what
// was there all the time, on one node and on all of them joined. Pure.

import type { Listed, Page } from './node-api.ts';
import { integer, optional, text } from './schema.ts';

const LIMIT_DEFAULT = 100;
export const LIMIT_MAX = 1000;
/**
 * Items that are longer together end the page: clients choose names of 64 KiB, a longer answer would delay
 * others, and the reply of another node may have 256 KiB.
 */
const PAGE_BYTES_MAX = 196_608;
/** A longer key would not fit into the address of the next request. */
const CURSOR_CHARACTERS_MAX = 600;
/** Behind every key that begins like it. */
const LAST_CHARACTER = '\uffff';

/** Query parameters of every list. */
export const pageQuery = {
  after: optional(text({ help: 'The value of `next` in the page before', maxLength: 65_535 })),
  limit: optional(integer(1, LIMIT_MAX, 'Items of a page; 100 without')),
  node: optional(text({ help: 'Ask this node only' })),
};

interface PageQuery {
  readonly after?: string | undefined;
  readonly limit?: number | undefined;
}

export function pageOf({ after = '', limit = LIMIT_DEFAULT }: PageQuery): Page {
  return { after, limit };
}

export interface PageView<T> {
  readonly items: readonly T[];
  readonly total: number;
  /** Where the next page begins, behind this key; undefined on the last one. */
  readonly next?: string | undefined;
}

/** @param keyOf unique among the items of one node */
export function pageView<T>(
  { items, total }: Listed<T>,
  query: PageQuery,
  keyOf: (item: T) => string,
): PageView<T> {
  const fitting = items.slice(0, fittingCount(items));
  const last = fitting.at(-1);
  const isCut = fitting.length < items.length || items.length >= pageOf(query).limit;
  if (!isCut || last === undefined) return { items, total };
  return { items: fitting, total, next: cursorOf(keyOf(last)) };
}

/** One at least. */
function fittingCount(items: readonly unknown[]): number {
  let bytes = 0;
  for (const [index, item] of items.entries()) {
    bytes += Buffer.byteLength(JSON.stringify(item));
    if (bytes > PAGE_BYTES_MAX) return Math.max(1, index);
  }
  return items.length;
}

/** Leaves out items that have the first characters of a long key in common with it. */
function cursorOf(key: string): string {
  if (key.length <= CURSOR_CHARACTERS_MAX) return key;
  return key.slice(0, CURSOR_CHARACTERS_MAX) + LAST_CHARACTER;
}

/** The page that the pages of several nodes make. */
export function mergePages<T>(
  pages: readonly PageView<T>[],
  query: PageQuery,
  keyOf: (item: T) => string,
): PageView<T> {
  const { limit } = pageOf(query);
  // Behind the end of a cut page its node may have more: those keys belong to the next page.
  const [end] = pages.flatMap(({ next }) => next ?? []).sort(byCode);
  const all = pages
    .flatMap(({ items }) => items)
    .filter((item) => end === undefined || byCode(keyOf(item), end) <= 0)
    .sort((a, b) => byCode(keyOf(a), keyOf(b)));
  const edge = all[limit - 1];
  // The same key on two nodes, as of a client that has moved, is not cut apart.
  const items = all.filter(
    (item, index) => index < limit || (edge !== undefined && keyOf(item) === keyOf(edge)),
  );
  const total = pages.reduce((sum, page) => sum + page.total, 0);
  const last = items.at(-1);
  const isCut = end !== undefined || all.length > items.length;
  if (!isCut || last === undefined) return { items, total };
  return { items, total, next: cursorOf(keyOf(last)) };
}

/** The order of all lists: by code units, which is the same on every node. */
function byCode(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Keeps the first items of a page while a long list passes by. */
export class PageCollector<T> {
  readonly #page: Page;
  readonly #keyOf: (item: T) => string;
  readonly #kept: { readonly key: string; readonly item: T }[] = [];
  #total = 0;

  constructor(page: Page, keyOf: (item: T) => string) {
    this.#page = page;
    this.#keyOf = keyOf;
  }

  add(item: T): void {
    this.#total += 1;
    const key = this.#keyOf(item);
    const { after, limit } = this.#page;
    if (after !== '' && byCode(key, after) <= 0) return;
    this.#kept.push({ key, item });
    if (this.#kept.length >= 4 * limit) this.#cut();
  }

  get listed(): Listed<T> {
    this.#cut();
    return { items: this.#kept.map(({ item }) => item), total: this.#total };
  }

  #cut(): void {
    this.#kept.sort((a, b) => byCode(a.key, b.key));
    this.#kept.length = Math.min(this.#kept.length, this.#page.limit);
  }
}
