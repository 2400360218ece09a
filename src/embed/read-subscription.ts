// Checks the arguments of subscribe().

import { isSharedFilter, isTopicFilter, parseSharedFilter } from '../mqtt/topic.ts';
import type * as api from './api.ts';
import { checkQos, wrong } from './read-message.ts';

const CONCURRENCY_MAX = 10_000;

/** @throws ShoalError `INVALID_ARGUMENT` */
export function readSubscription(
  filter: unknown,
  callback: unknown,
  options: unknown,
): Required<api.SubscribeOptions> {
  const isFilter =
    typeof filter === 'string' &&
    !filter.includes('\0') &&
    (isSharedFilter(filter) ? parseSharedFilter(filter) !== undefined : isTopicFilter(filter));
  if (!isFilter)
    throw wrong('filter', filter, "a Topic Filter, as 'home/+/temperature' or 'home/#'");
  if (typeof callback !== 'function') throw wrong('callback', callback, 'a function');
  if (options === null || typeof options !== 'object') throw wrong('options', options, 'an object');
  const { qos = 2, retained = true, concurrency = 1 } = options as api.SubscribeOptions;
  checkQos(qos);
  if (typeof retained !== 'boolean') throw wrong('retained', retained, 'true or false');
  const isCount =
    Number.isInteger(concurrency) && concurrency >= 1 && concurrency <= CONCURRENCY_MAX;
  if (!isCount)
    throw wrong('concurrency', concurrency, `a whole number from 1 to ${CONCURRENCY_MAX}`);
  return { qos, retained, concurrency };
}
