// The topic lists that a token or an authentication server may grant: `publ` and `subs`, lists of Topic
// Filters. If only one is present, the other is empty: a list permits its topics and no others.

import { isTopicFilter } from '../mqtt/topic.ts';
import type { TopicClaims } from './permissions.ts';

/** Filters in one list; more belong in an ACL file. */
const FILTERS_MAX = 1000;

/** @returns undefined without lists; 'invalid' if one is not a list of Topic Filters */
export function readTopicClaims(
  claims: Readonly<Record<string, unknown>>,
): TopicClaims | 'invalid' | undefined {
  const { publ, subs } = claims;
  if (publ === undefined && subs === undefined) return undefined;
  const publish = publ === undefined ? [] : filtersOf(publ);
  const subscribe = subs === undefined ? [] : filtersOf(subs);
  return publish === undefined || subscribe === undefined ? 'invalid' : { publish, subscribe };
}

function filtersOf(value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value) || value.length > FILTERS_MAX) return undefined;
  const filters: unknown[] = value;
  return filters.every((item) => typeof item === 'string' && isTopicFilter(item))
    ? (filters as string[])
    : undefined;
}
