// Sends a new subscription its retained messages, no faster than the client takes them: a
// subscription to `#` must neither overflow the session's queue nor be cut short by it. Looks each
// message up when it is sent, so that an outdated one never follows a newer one.

import type { QoS } from '../../mqtt/publish-view.ts';
import type { Message } from '../message/message.ts';
import { Price } from '../prices.ts';
import type { Subscription } from '../routing/subscription.ts';
import type { WorkBudget } from '../work-budget.ts';
import { NODES_PER_STEP } from './retained-tree.ts';

interface Feed {
  /** Yields `undefined` after every NODES_PER_STEP visited nodes. */
  readonly messages: Iterator<Message | undefined>;
  readonly subscription: Subscription;
}

/** What the feeds need of the broker. */
export interface FeedContext {
  readonly budget: WorkBudget;
  readonly options: { readonly upgradeQos: boolean };
}

/** Retained messages on their way to the new subscriptions of one connection. */
export class RetainedFeeds {
  readonly #context: FeedContext;
  /** By filter; undefined while there is none: most connections need no map most of the time. */
  #feeds: Map<string, Feed> | undefined;

  constructor(context: FeedContext) {
    this.#context = context;
  }

  /** Starts a feed; it replaces an unfinished one for the same filter. */
  add(subscription: Subscription, messages: Iterator<Message | undefined>): void {
    this.#feeds ??= new Map();
    this.#feeds.set(subscription.filter, { messages, subscription });
  }

  remove(filter: string): void {
    this.#feeds?.delete(filter);
  }

  get isEmpty(): boolean {
    return this.#feeds === undefined || this.#feeds.size === 0;
  }

  clear(): void {
    this.#feeds = undefined;
  }

  /**
   * Sends what the client can take now.
   * @returns false if the budget of this turn is spent and there is more to do
   */
  pump(mayDeliver: (message: Message) => boolean): boolean {
    const { budget, options } = this.#context;
    const feeds = this.#feeds;
    if (feeds === undefined) return true;
    for (const [filter, { messages, subscription }] of feeds) {
      const { subscriber } = subscription;
      for (;;) {
        if (!subscriber.ready) return true;
        if (budget.isSpent) return false;
        const next = messages.next();
        if (next.done) break;
        const message = next.value;
        budget.spend(
          message === undefined ? NODES_PER_STEP * Price.retainedNode : Price.retainedMessage,
        );
        if (message === undefined || !mayDeliver(message)) continue;
        const upTo = options.upgradeQos ? subscription.qos : message.qos;
        const qos = Math.min(upTo, subscription.qos) as QoS;
        subscriber.deliverMessage(message, qos, true, subscription.identifiers, undefined);
      }
      budget.spend(Price.retainedMessage);
      feeds.delete(filter);
    }
    if (feeds.size === 0) this.#feeds = undefined;
    return true;
  }
}
