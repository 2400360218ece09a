// The topic lists that a token or an authentication server may give with its yes: `publ` and
// `subs`, lists of Topic Filters. Where only one of them is there, the other is empty: whoever
// lists topics means these and no others.

import { isTopicFilter } from '../mqtt/topic.ts';
import type { TopicClaims } from './permissions.ts';

/** Filters in one list: more belong into an ACL file. */
const FILTERS_MAX = 1000;

/** @returns undefined where there are no lists, 'invalid' where what is there is no list of filters */
export function readGrantedTopics(
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
