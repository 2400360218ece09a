// Topic Names and Topic Filters: validity and matching (MQTT 5.0 4.7, 4.8). Knows nothing of
// subscriptions.

const SHARE_PREFIX = '$share/';
const DOLLAR = 0x24;
/** A bridge publishes 1 or 0 here, also by its will. */
const BRIDGE_STATE = '$SYS/broker/connection/+/state';

/**
 * True for a Topic Name or Topic Filter that begins with `$`: the server's own topics, which filters
 * that begin with a wildcard do not match (MQTT 5.0 4.7.2).
 */
export function isReservedTopic(topic: string): boolean {
  return topic.charCodeAt(0) === DOLLAR;
}

/** True for the server's statistics, `$SYS` and everything below it. */
export function isSysTopic(topic: string): boolean {
  return topic === '$SYS' || topic.startsWith('$SYS/');
}

/** The same for the UTF-8 bytes of a topic that begins at `start`. */
export function isReservedTopicBytes(bytes: Buffer, start = 0): boolean {
  return bytes[start] === DOLLAR;
}

/**
 * True for a Topic Name that clients may not publish to, as mosquitto has it: `$SYS` belongs to the
 * server, except for the state of a bridge, and `$share` names subscriptions. Other topics that begin
 * with `$` are ordinary topics of one server.
 */
export function isClosedToClients(topic: string): boolean {
  if (!isReservedTopic(topic)) return false;
  if (isSysTopic(topic)) return !topicMatches(BRIDGE_STATE, topic);
  return topic === '$share' || topic.startsWith(SHARE_PREFIX);
}

/** A Topic Name has at least one character and no wildcard [MQTT5-4.7.0-1, 4.7.1-1]. The caller checks UTF-8 and length. */
export function isTopicName(topic: string): boolean {
  return topic.length > 0 && !topic.includes('+') && !topic.includes('#');
}

/** In a Topic Filter `+` fills a whole level and `#` the whole last one [MQTT5-4.7.1-1, 4.7.1-2]. */
export function isTopicFilter(filter: string): boolean {
  if (filter.length === 0) return false;
  const levels = filter.split('/');
  return levels.every((level, index) => {
    if (level === '#') return index === levels.length - 1;
    if (level === '+') return true;
    return !level.includes('+') && !level.includes('#');
  });
}

export function isWildcard(filter: string): boolean {
  return filter.includes('+') || filter.includes('#');
}

export interface SharedFilter {
  readonly group: string;
  readonly filter: string;
}

/** True where the filter asks for a Shared Subscription, well-formed or not. */
export function isSharedFilter(filter: string): boolean {
  return filter.startsWith(SHARE_PREFIX) || filter === '$share';
}

/** Splits `$share/{ShareName}/{filter}`. @returns undefined if it is ill-formed [MQTT5-4.8.2-1, 4.8.2-2] */
export function parseSharedFilter(text: string): SharedFilter | undefined {
  const slash = text.indexOf('/', SHARE_PREFIX.length);
  if (slash === -1) return undefined;
  const group = text.slice(SHARE_PREFIX.length, slash);
  const filter = text.slice(slash + 1);
  if (group.length === 0 || isWildcard(group) || !isTopicFilter(filter)) return undefined;
  return { group, filter };
}

/**
 * True if the filter matches the topic. A filter that begins with a wildcard matches no topic that
 * begins with `$` [MQTT5-4.7.2-1]. Both must be valid.
 */
export function topicMatches(filter: string, topic: string): boolean {
  return levelsMatch(filter.split('/'), topic.split('/'));
}

/** As topicMatches(), for a filter and a topic that are split at `/`. */
export function levelsMatch(filter: readonly string[], topic: readonly string[]): boolean {
  const isWildcardFirst = filter[0] === '+' || filter[0] === '#';
  if (isWildcardFirst && isReservedTopic(topic[0] ?? '')) return false;
  for (let i = 0; i < filter.length; i++) {
    if (filter[i] === '#') return true;
    if (i >= topic.length || (filter[i] !== '+' && filter[i] !== topic[i])) return false;
  }
  return filter.length === topic.length;
}
