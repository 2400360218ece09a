// What was found for recently seen topics, by the topic's bytes, so that such a topic needs no string.
// Invariant: takes 512 KB at most, without what is found.

import { fnv1a } from '../shared/fnv1a.ts';

/** Direct-mapped: a topic replaces another with the same hash. Power of two. */
const CACHE_SLOTS = 2048;
/** Longer topics are not cached. */
const CACHED_TOPIC_BYTES_MAX = 256;

interface Entry<Found> {
  readonly topic: Buffer;
  readonly found: Found;
}

export class TopicCache<Found> {
  readonly #find: (topic: string) => Found;
  readonly #entries: (Entry<Found> | undefined)[] = new Array(CACHE_SLOTS).fill(undefined);

  /** @param find called for a topic that is not in the cache */
  constructor(find: (topic: string) => Found) {
    this.#find = find;
  }

  /** @param topic bytes of a valid Topic Name; copied */
  get(topic: Buffer): Found {
    if (topic.length > CACHED_TOPIC_BYTES_MAX) return this.#find(topic.toString('utf8'));
    const slot = fnv1a(topic, 0, topic.length) & (CACHE_SLOTS - 1);
    const cached = this.#entries[slot];
    if (cached?.topic.equals(topic)) return cached.found;
    const found = this.#find(topic.toString('utf8'));
    this.#entries[slot] = { topic: Buffer.from(topic), found };
    return found;
  }

  /** Forgets everything, because something else would be found now. */
  clear(): void {
    this.#entries.fill(undefined);
  }
}
