// Finds the Topic of a PUBLISH by its bytes, without making a string. Topics live in two generations:
// a topic that is used moves to the young one, and when that is full it replaces the old one. So
// memory is bounded, whatever topics clients invent.
// Invariant: a topic counts with its object, its bytes and its name, so that the bound is one of memory.

import { isTopicName } from '../../mqtt/topic.ts';
import { isStrictUtf8 } from '../../mqtt/utf8.ts';
import { copyBytes } from '../../shared/copy-bytes.ts';
import { fnv1a } from '../../shared/fnv1a.ts';
import { PacketSlab } from '../../shared/packet-slab.ts';
import { sameBytes } from '../../shared/same-bytes.ts';
import { CACHED_TOPIC_BYTES, topicBytes } from '../memory-costs.ts';
import type { Topic } from '../message/message.ts';
import type { Route } from './route.ts';

const GENERATION_TOPICS_MAX = 65_536;
/** Memory of a generation; less where -memory-limit is small. */
const GENERATION_BYTES_MAX = 33_554_432;
const GENERATION_SHARE = 1 / 16;
const BUCKETS = 65_536;
/** Small, since a message that waits keeps the whole slab of its topic. */
const SLAB_BYTES = 8_192;
/** Only topics chosen by their hash make a longer chain; chance does not. */
const CHAIN_MAX = 32;

/**
 * A topic with its cached route. It refers to no other topic: a message that is kept keeps its own
 * topic only.
 */
export interface RoutedTopic extends Topic {
  readonly hash: number;
  /** Valid while `routeVersion` is that of the subscription tree. */
  route: Route | undefined;
  routeVersion: number;
}

/** Topics by hash. A bucket is a chain of places in `topics`, counted from 1; 0 ends it. */
interface Generation {
  readonly heads: Int32Array;
  /** By place: the next one of its chain. */
  readonly nexts: Int32Array;
  readonly topics: RoutedTopic[];
  /** Of the bytes of the topics: shared with others they would keep that memory as well. */
  readonly slab: PacketSlab;
  bytes: number;
}

export interface TopicLimits {
  readonly topicLevelsMax: number;
  readonly topicBytesMax: number;
  /** -memory-limit, which these topics do not count for. */
  readonly memoryBytesMax: number;
}

export class TopicTable {
  readonly #limits: TopicLimits;
  #young = newGeneration();
  #old = newGeneration();
  /** Publishers often repeat a topic. */
  #last: RoutedTopic | undefined;

  constructor(limits: TopicLimits) {
    this.#limits = limits;
  }

  /** The topic of these bytes; undefined if they are not a valid Topic Name within the limits. */
  find(buffer: Buffer, start: number, end: number): RoutedTopic | undefined {
    const last = this.#last;
    if (last !== undefined && sameBytes(last.bytes, buffer, start, end)) return last;
    const hash = hashBytes(buffer, start, end);
    const topic =
      lookUp(this.#young, hash, buffer, start, end) ??
      this.#promote(lookUp(this.#old, hash, buffer, start, end)) ??
      this.#admit(buffer, start, end, hash);
    if (topic !== undefined) this.#last = topic;
    return topic;
  }

  /** The topic of a name that is known to be valid. */
  intern(name: string): RoutedTopic {
    const bytes = Buffer.from(name, 'utf8');
    const hash = hashBytes(bytes, 0, bytes.length);
    const known =
      lookUp(this.#young, hash, bytes, 0, bytes.length) ??
      this.#promote(lookUp(this.#old, hash, bytes, 0, bytes.length));
    return known ?? this.#insert(newRoutedTopic(name, bytes, hash));
  }

  /** True for a Topic Name within the limits. The caller has checked its UTF-8. */
  allows(name: string): boolean {
    const { topicBytesMax, topicLevelsMax } = this.#limits;
    const isShort = Buffer.byteLength(name) <= topicBytesMax;
    return isShort && isTopicName(name) && levelCount(name) <= topicLevelsMax;
  }

  #admit(buffer: Buffer, start: number, end: number, hash: number): RoutedTopic | undefined {
    if (end - start > this.#limits.topicBytesMax) return undefined;
    if (!isStrictUtf8(buffer, start, end)) return undefined;
    const name = buffer.toString('utf8', start, end);
    if (!isTopicName(name) || levelCount(name) > this.#limits.topicLevelsMax) return undefined;
    return this.#insert(newRoutedTopic(name, buffer.subarray(start, end), hash));
  }

  #promote(topic: RoutedTopic | undefined): RoutedTopic | undefined {
    return topic && this.#insert(topic);
  }

  /** Memory of all topics in the table. */
  get bytes(): number {
    return this.#young.bytes + this.#old.bytes;
  }

  #insert(topic: RoutedTopic): RoutedTopic {
    const bytes = CACHED_TOPIC_BYTES + topicBytes(topic);
    const share = GENERATION_SHARE * this.#limits.memoryBytesMax;
    if (
      this.#young.topics.length >= GENERATION_TOPICS_MAX ||
      this.#young.bytes + bytes > Math.min(GENERATION_BYTES_MAX, share)
    ) {
      // Messages may keep these topics for long, but must not keep their subscribers.
      for (const old of this.#old.topics) old.route = undefined;
      this.#old = this.#young;
      this.#young = newGeneration();
    }
    const { heads, nexts, topics, slab } = this.#young;
    topic.bytes = copyInto(slab, topic.bytes);
    const bucket = topic.hash & (BUCKETS - 1);
    topics.push(topic);
    nexts[topics.length] = isLong(this.#young, bucket) ? 0 : heads[bucket]!;
    heads[bucket] = topics.length;
    this.#young.bytes += bytes;
    return topic;
  }
}

function newRoutedTopic(name: string, bytes: Buffer, hash: number): RoutedTopic {
  return { name, bytes, holders: 0, payer: undefined, hash, route: undefined, routeVersion: -1 };
}

function newGeneration(): Generation {
  return {
    heads: new Int32Array(BUCKETS),
    nexts: new Int32Array(GENERATION_TOPICS_MAX + 1),
    topics: [],
    slab: new PacketSlab(SLAB_BYTES),
    bytes: 0,
  };
}

function copyInto(slab: PacketSlab, bytes: Buffer): Buffer {
  const { length } = bytes;
  const start = slab.reserve(length);
  copyBytes(slab.buffer, start, bytes, 0, length);
  return slab.buffer.subarray(start, start + length);
}

function isLong({ heads, nexts }: Generation, bucket: number): boolean {
  let length = 0;
  for (let place = heads[bucket]!; place !== 0; place = nexts[place]!) length += 1;
  return length >= CHAIN_MAX;
}

function levelCount(name: string): number {
  let levels = 1;
  for (let i = name.indexOf('/'); i !== -1; i = name.indexOf('/', i + 1)) levels += 1;
  return levels;
}

function hashBytes(buffer: Buffer, start: number, end: number): number {
  const hash = fnv1a(buffer, start, end);
  // The low bits choose the bucket: fold the high ones in. Signed, as V8 gives larger integers an object of their own.
  return (hash ^ (hash >>> 15)) | 0;
}

function lookUp(
  generation: Generation,
  hash: number,
  buffer: Buffer,
  start: number,
  end: number,
): RoutedTopic | undefined {
  const { heads, nexts, topics } = generation;
  for (let place = heads[hash & (BUCKETS - 1)]!; place !== 0; place = nexts[place]!) {
    const topic = topics[place - 1]!;
    if (topic.hash === hash && sameBytes(topic.bytes, buffer, start, end)) return topic;
  }
  return undefined;
}
