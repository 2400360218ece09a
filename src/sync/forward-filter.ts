// Decides which topics leave this node: none that begins with `$`, and of the others those that
// match -topics. Knows nothing of packets. With `#` it costs a look at one byte; otherwise the
// verdict is remembered by the topic's bytes, so no string is made for a topic seen lately.

import { isReservedTopicBytes, topicMatches } from '../mqtt/topic.ts';
import { fnv1a } from '../shared/fnv1a.ts';

/** Direct-mapped: a topic that hashes to a taken place takes it over. Power of two. */
const CACHE_SLOTS = 2048;
/** Longer topics are not remembered, which bounds the cache to 512 KB. */
const CACHED_TOPIC_BYTES_MAX = 256;

interface Verdict {
  readonly topic: Buffer;
  readonly allowed: boolean;
}

export class ForwardFilter {
  readonly #filters: readonly string[];
  readonly #allowsAll: boolean;
  readonly #cache: (Verdict | undefined)[];

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
    const known = this.#cache[slot];
    if (known?.topic.equals(topic)) return known.allowed;
    const allowed = this.#matches(topic);
    this.#cache[slot] = { topic: Buffer.from(topic), allowed };
    return allowed;
  }

  #matches(topic: Buffer): boolean {
    const name = topic.toString('utf8');
    return this.#filters.some((filter) => topicMatches(filter, name));
  }
}
