// Sends a new subscription its retained messages, no faster than the client takes them: a
// subscription to `#` must neither overflow the session's queue nor be cut short by it. Looks each
// message up when it is sent, so that an outdated one never follows a newer one.

import type { QoS } from '../../mqtt/publish-view.ts';
import type { Message } from '../message/message.ts';
import { Price } from '../prices.ts';
import type { Subscription } from '../routing/subscription.ts';
import type { WorkBudget } from '../work-budget.ts';
import { NODES_PER_STEP } from './retained-store.ts';

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

/** The feeds of one connection. */
export class RetainedFeeds {
  readonly #context: FeedContext;
  readonly #feeds = new Map<string, Feed>();

  constructor(context: FeedContext) {
    this.#context = context;
  }

  /** Starts a feed; it replaces an unfinished one for the same filter. */
  add(subscription: Subscription, messages: Iterator<Message | undefined>): void {
    this.#feeds.set(subscription.filter, { messages, subscription });
  }

  remove(filter: string): void {
    this.#feeds.delete(filter);
  }

  /**
   * Sends what the client can take now.
   * @returns false if the budget of this turn is spent and there is more to do
   */
  pump(mayDeliver: (message: Message) => boolean): boolean {
    const { budget, options } = this.#context;
    for (const [filter, { messages, subscription }] of this.#feeds) {
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
      this.#feeds.delete(filter);
    }
    return true;
  }
}
