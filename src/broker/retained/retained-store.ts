// The retained messages (MQTT 5.0 3.3.1.3), with their bounds and the accounts that pay for them. Knows
// no subscriptions; retained-tree.ts finds the messages of a Topic Filter.
// Invariants: number and memory of the messages stay within the limits, and an expired message leaves at
// its deadline, and before another one is refused for lack of room.

import { isReservedTopic } from '../../mqtt/topic.ts';
import { textBytes } from '../../shared/text-bytes.ts';
import { type Accounts, isOverShare, NAMELESS_SHARE, type UserAccount } from '../accounts.ts';
import type { DeadlineQueue } from '../deadline-queue.ts';
import {
  contentBytes,
  RETAINED_BYTES,
  RETAINED_EXPIRY_BYTES,
  topicBytes,
} from '../memory-costs.ts';
import type { Message } from '../message/message.ts';
import { KeptMessage } from './kept-message.ts';
import { type RetainedNode, RetainedTree, topicOf } from './retained-tree.ts';

export interface RetainedLimits {
  readonly retainedMessagesMax: number;
  readonly retainedBytesMax: number;
}

/** What the store needs of the broker. */
export interface RetainedContext {
  readonly options: RetainedLimits;
  readonly accounts: Accounts;
  readonly deadlines: DeadlineQueue;
}

export class RetainedStore {
  readonly #limits: RetainedLimits;
  readonly #accounts: Accounts;
  readonly #deadlines: DeadlineQueue;
  readonly #tree = new RetainedTree();
  /** Called after the message of this topic has expired. */
  onExpired: (topic: string) => void = () => undefined;
  #count = 0;
  /** Of them, those of the broker itself, whose topics begin with $. */
  #reservedCount = 0;
  #bytes = 0;

  constructor({ options, accounts, deadlines }: RetainedContext) {
    this.#limits = options;
    this.#accounts = accounts;
    this.#deadlines = deadlines;
  }

  get count(): number {
    return this.#count;
  }

  /** Without those whose topics begin with $, which no client has published. */
  get publishedCount(): number {
    return this.#count - this.#reservedCount;
  }

  /** Memory of all of them, with their topics. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Replaces the topic's message.
   * @param payer has a share of the limits; undefined for a message of a peer, the broker or the store
   * @returns the limit that is reached, and nothing has changed; undefined if the message is retained
   */
  set(message: Message, payer: UserAccount | undefined): string | undefined {
    const bytes = costOf(message);
    const known = this.#tree.find(message.topic.name);
    const limit = this.#limitFor(bytes, known, payer);
    if (limit === undefined) this.#put(message, bytes, known, payer);
    return limit;
  }

  /** As set(), for a message that an earlier run of the node has retained: it needs no share. */
  restore(message: Message, payer: UserAccount | undefined): string | undefined {
    const bytes = costOf(message);
    const known = this.#tree.find(message.topic.name);
    const limit = this.#limitFor(bytes, known, undefined);
    if (limit === undefined) this.#put(message, bytes, known, payer);
    return limit;
  }

  #put(
    message: Message,
    bytes: number,
    known: RetainedNode | undefined,
    payer: UserAccount | undefined,
  ): void {
    const { name } = message.topic;
    const node = known ?? this.#tree.reach(name);
    this.#take(node, name);
    node.kept = new KeptMessage(message, payer, bytes);
    this.#charge(payer, 1, bytes);
    if (isReservedTopic(name)) this.#reservedCount += 1;
    this.#scheduleExpiry(node, message.expiresAt);
  }

  #limitFor(
    wantedBytes: number,
    known: RetainedNode | undefined,
    payer: UserAccount | undefined,
  ): string | undefined {
    const { retainedMessagesMax, retainedBytesMax } = this.#limits;
    const before = known?.kept;
    const isNew = before === undefined;
    const added = wantedBytes - (isNew ? 0 : before.bytes);
    if (this.#bytes + added > retainedBytesMax) return '-retained-bytes';
    // An update that takes no more than the message before it needs no room.
    const bound = added > 0 ? this.#accounts.boundFor(payer, added) : undefined;
    if (bound !== undefined) return bound;
    if (!isNew) return undefined;
    if (this.#count >= retainedMessagesMax) return '-retained-messages';
    if (payer === undefined) return undefined;
    if (isOverShare(payer.retainedBytes, this.#bytes, retainedBytesMax)) {
      return "-retained-bytes (the user's share)";
    }
    const isOver = isOverShare(payer.retainedMessages, this.#count, retainedMessagesMax);
    if (isOver) return "-retained-messages (the user's share)";
    const { nameless } = this.#accounts;
    const count = this.#count;
    if (
      this.#accounts.isOverNamelessShare(
        payer,
        nameless.retainedBytes,
        this.#bytes,
        retainedBytesMax,
      )
    ) {
      return `-retained-bytes ${NAMELESS_SHARE}`;
    }
    return this.#accounts.isOverNamelessShare(
      payer,
      nameless.retainedMessages,
      count,
      retainedMessagesMax,
    )
      ? `-retained-messages ${NAMELESS_SHARE}`
      : undefined;
  }

  /** Takes the node's message, if it has one. */
  #take(node: RetainedNode, topic: string): void {
    const { kept } = node;
    if (kept === undefined) return;
    this.#charge(kept.payer, -1, -kept.bytes);
    if (isReservedTopic(topic)) this.#reservedCount -= 1;
    node.kept = undefined;
  }

  #charge(payer: UserAccount | undefined, messages: 1 | -1, bytes: number): void {
    this.#count += messages;
    this.#bytes += bytes;
    if (payer !== undefined) {
      payer.retainedMessages += messages;
      payer.retainedBytes += bytes;
      if (payer.group !== undefined) {
        payer.group.retainedMessages += messages;
        payer.group.retainedBytes += bytes;
      }
    }
    this.#accounts.chargeUser(payer, bytes);
  }

  /** One deadline for each topic: it moves only when it comes due, not with every message. */
  #scheduleExpiry(node: RetainedNode, at: number): void {
    if (at === Number.POSITIVE_INFINITY || (node.expiry !== undefined && node.expiry.at <= at)) {
      return;
    }
    this.#deadlines.cancel(node.expiry);
    node.expiry = this.#deadlines.schedule(at, (now) => {
      node.expiry = undefined;
      const { kept } = node;
      if (kept === undefined) return;
      if (kept.expiresAt <= now) {
        const topic = topicOf(node);
        this.#remove(node, topic);
        this.onExpired(topic);
      } else this.#scheduleExpiry(node, kept.expiresAt);
    });
  }

  get(topic: string): Message | undefined {
    return this.#tree.find(topic)?.kept?.toMessage(topic);
  }

  /** True if there was one. */
  remove(topic: string): boolean {
    const node = this.#tree.find(topic);
    if (node?.kept === undefined) return false;
    this.#remove(node, topic);
    return true;
  }

  #remove(node: RetainedNode, topic: string): void {
    this.#take(node, topic);
    this.#deadlines.cancel(node.expiry);
    node.expiry = undefined;
    this.#tree.prune(node);
  }

  /** The messages that match the filter and have not expired; `undefined` is a chance to pause. */
  match(filter: string, now: number): Generator<Message | undefined> {
    return this.#tree.match(filter, now);
  }

  /** All messages, expired ones included; the store may change during the walk. */
  all(): Generator<Message> {
    return this.#tree.all();
  }
}

/** The topic counts a third time for its part of the tree, the publisher for its names. */
function costOf(message: Message): number {
  const { topic, publisher, expiresAt } = message;
  const texts = textBytes(publisher?.clientId) + textBytes(publisher?.username);
  const expiry = expiresAt === Number.POSITIVE_INFINITY ? 0 : RETAINED_EXPIRY_BYTES;
  const topicBytesHere = topicBytes(topic) + topic.bytes.length;
  return (
    RETAINED_BYTES +
    topicBytesHere +
    contentBytes(message.payload.length, message.properties) +
    texts +
    expiry
  );
}
