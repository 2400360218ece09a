// Reads lists of the API page by page, up to what the user wants to see.

import type { CliContext } from './context.ts';
import { exitCodes, UsageError } from './exit-codes.ts';
import type { NodeConnection } from './node-connection.ts';

const PAGE_ITEMS_MAX = 1000;
const LIMIT_MAX = 1_000_000;

export interface NodeList<T> {
  readonly items: readonly T[];
  /** All that match, shown or not. */
  readonly total: number;
}

/** The nodes that did not answer, or refused what the others did. */
export interface Incomplete {
  readonly missing?: readonly { readonly node: string; readonly problem: string }[];
}

interface ListPage<T> extends NodeList<T>, Incomplete {
  readonly next?: string;
}

/** Names the nodes on standard error. @returns the exit code: what one node lacks is a failure */
export function reportMissing(
  { missing = [] }: Incomplete,
  what: string,
  context: CliContext,
): number {
  for (const { node, problem } of missing) {
    context.writeError(`shoal: ${what} ${node}: ${problem}\n`);
  }
  return missing.length === 0 ? exitCodes.ok : exitCodes.failure;
}

/** @throws UsageError */
export function limitOf(text: string): number {
  const limit = /^\d{1,7}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= LIMIT_MAX) return limit;
  throw new UsageError(`bad value '${text}' for -limit: expected 1 to ${LIMIT_MAX}`);
}

/** Nodes that did not answer are named on standard error: the list is then not complete. */
export async function readList<T>(
  node: NodeConnection,
  path: string,
  query: Readonly<Record<string, string | boolean | undefined>>,
  limit: number,
  context: CliContext,
): Promise<NodeList<T>> {
  const items: T[] = [];
  const missing = new Map<string, string>();
  let total = 0;
  let after: string | undefined;
  do {
    const wanted = Math.min(PAGE_ITEMS_MAX, limit - items.length);
    const page = await node.ask<ListPage<T>>(path, { query: { ...query, after, limit: wanted } });
    items.push(...page.items);
    total = Math.max(total, page.total);
    for (const one of page.missing ?? []) missing.set(one.node, one.problem);
    after = page.next;
  } while (after !== undefined && items.length < limit);
  for (const [name, problem] of missing) {
    context.writeError(
      `shoal: not in this list: what is on ${name}, which did not answer: ${problem}\n`,
    );
  }
  return { items, total };
}
