// Maps Topic Names from one side to the other: takes the prefix of the rule that matches away and puts
// the other one in front. The first rule that matches decides. Results are cached by the topic's bytes,
// because a bridge sees the same topics again and again.

import { STRING_BYTES_MAX } from '../mqtt/limits.ts';
import type { QoS } from '../mqtt/publish-view.ts';
import { topicMatches } from '../mqtt/topic.ts';
import { fnv1a } from '../shared/fnv1a.ts';
import { sameBytes } from '../shared/same-bytes.ts';
import type { TopicRule } from './options.ts';

/** Beyond this the cache is emptied. */
const CACHED_MAX = 10_000;

export interface MappedTopic {
  /** UTF-8 of the topic on the other side. */
  readonly bytes: Buffer;
  readonly qos: QoS;
  /** The Topic Alias on this connection; 0: none. */
  alias: number;
}

interface CachedTopic {
  readonly source: Buffer;
  readonly mapped: MappedTopic | undefined;
}

interface Mapping {
  readonly filter: string;
  readonly takenAway: string;
  readonly putInFront: string;
  readonly qos: QoS;
}

export class TopicMapper {
  readonly #mappings: readonly Mapping[];
  /** By the hash of the topic. */
  readonly #cache = new Map<number, CachedTopic>();
  /** Publishers often repeat a topic. */
  #last: CachedTopic | undefined;

  private constructor(mappings: readonly Mapping[]) {
    this.#mappings = mappings;
  }

  /** From this node to the far side. */
  static outgoing(rules: readonly TopicRule[]): TopicMapper {
    const used = rules.filter(({ direction }) => direction !== 'in');
    return new TopicMapper(
      used.map(({ pattern, qos, localPrefix, farPrefix }) => ({
        filter: localPrefix + pattern,
        takenAway: localPrefix,
        putInFront: farPrefix,
        qos,
      })),
    );
  }

  /** From the far side to this node. */
  static incoming(rules: readonly TopicRule[]): TopicMapper {
    const used = rules.filter(({ direction }) => direction !== 'out');
    return new TopicMapper(
      used.map(({ pattern, qos, localPrefix, farPrefix }) => ({
        filter: farPrefix + pattern,
        takenAway: farPrefix,
        putInFront: localPrefix,
        qos,
      })),
    );
  }

  /** The filters to subscribe to; of equal ones the first, whose rule decides. */
  get subscriptions(): readonly { readonly filter: string; readonly qos: QoS }[] {
    return this.#mappings.filter(
      ({ filter }, index) => this.#mappings.findIndex((one) => one.filter === filter) === index,
    );
  }

  /** @returns undefined where no rule matches, or no Topic Name can have the result. The object is shared: `alias` belongs to the caller. */
  map(buffer: Buffer, start: number, end: number): MappedTopic | undefined {
    const last = this.#last;
    if (last !== undefined && sameBytes(last.source, buffer, start, end)) return last.mapped;
    const hash = fnv1a(buffer, start, end);
    let entry = this.#cache.get(hash);
    // Of two topics with one hash the later one stays: a client could make more of them.
    if (entry === undefined || !sameBytes(entry.source, buffer, start, end)) {
      const source = Buffer.from(buffer.subarray(start, end));
      entry = { source, mapped: this.#find(source.toString('utf8')) };
      if (this.#cache.size >= CACHED_MAX) this.#cache.clear();
      this.#cache.set(hash, entry);
    }
    this.#last = entry;
    return entry.mapped;
  }

  /** Forgets the aliases of an earlier connection. */
  reset(): void {
    this.#cache.clear();
    this.#last = undefined;
  }

  #find(topic: string): MappedTopic | undefined {
    const found = this.#mappings.find(({ filter }) => topicMatches(filter, topic));
    if (found === undefined) return undefined;
    const { takenAway, putInFront } = found;
    // `a/#` matches `a` as well, which is shorter than the prefix `a/`.
    const isParent = topic.length < takenAway.length;
    const name = isParent
      ? putInFront.replace(/\/$/, '')
      : putInFront + topic.slice(takenAway.length);
    const bytes = Buffer.from(name, 'utf8');
    if (bytes.length === 0 || bytes.length > STRING_BYTES_MAX) return undefined;
    return { bytes, qos: found.qos, alias: 0 };
  }
}
