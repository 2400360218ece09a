// Decides which topics are forwarded to peers: those that match -topics and do not begin with `$`.
// Knows nothing of packets. With `-topics=#` a decision costs a look at one byte. Otherwise decisions
// are cached by the topic's bytes.

import { isReservedTopicBytes, topicMatches } from '../mqtt/topic.ts';
import { TopicCache } from './topic-cache.ts';

export class ForwardFilter {
  readonly #decisions: TopicCache<boolean> | undefined;

  /** @param filters valid Topic Filters */
  constructor(filters: readonly string[]) {
    if (filters.includes('#')) return;
    this.#decisions = new TopicCache((topic) =>
      filters.some((filter) => topicMatches(filter, topic)),
    );
  }

  /** @param topic bytes of a valid Topic Name */
  allows(topic: Buffer): boolean {
    if (topic.length === 0 || isReservedTopicBytes(topic)) return false;
    return this.#decisions === undefined || this.#decisions.get(topic);
  }
}
