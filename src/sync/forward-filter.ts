// Decides which topics are forwarded to peers: those that match -topics and do not begin with `$`.
// Knows nothing of packets. With `-topics=#` a decision costs a look at one byte. Otherwise decisions
// are cached by the topic's bytes, so that a recently seen topic needs no string.

import { isReservedTopicBytes, topicMatches } from '../mqtt/topic.ts';
import { fnv1a } from '../shared/fnv1a.ts';

/** Direct-mapped: a topic replaces another with the same hash. Power of two. */
const CACHE_SLOTS = 2048;
/** Longer topics are not cached, which bounds the cache to 512 KB. */
const CACHED_TOPIC_BYTES_MAX = 256;

interface Decision {
  readonly topic: Buffer;
  readonly allowed: boolean;
}

export class ForwardFilter {
  readonly #filters: readonly string[];
  readonly #allowsAll: boolean;
  readonly #cache: (Decision | undefined)[];

  /** @param filters valid Topic Filters */
  constructor(filters: readonly string[]) {
    this.#filters = filters;
    this.#allowsAll = filters.includes('#');
    this.#cache = this.#allowsAll ? [] : new Array(CACHE_SLOTS).fill(undefined);
  }

  /** @param topic bytes of a valid Topic Name */
  allows(topic: Buffer): boolean {
    if (topic.length === 0 || isReservedTopicBytes(topic)) return false;
    if (this.#allowsAll) return true;
    if (topic.length > CACHED_TOPIC_BYTES_MAX) return this.#matches(topic);
    const slot = fnv1a(topic, 0, topic.length) & (CACHE_SLOTS - 1);
    const cached = this.#cache[slot];
    if (cached?.topic.equals(topic)) return cached.allowed;
    const allowed = this.#matches(topic);
    this.#cache[slot] = { topic: Buffer.from(topic), allowed };
    return allowed;
  }

  #matches(topic: Buffer): boolean {
    const name = topic.toString('utf8');
    return this.#filters.some((filter) => topicMatches(filter, name));
  }
}
