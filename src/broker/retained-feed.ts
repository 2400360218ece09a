// Hands a new subscription its retained messages, as fast as the client takes them and no faster:
// a subscription to everything must neither overflow the session's queue nor be cut short by it.
// Messages are looked up as they are sent, so a stale one never follows a newer one.

import type { QoS } from '../mqtt/publish-view.ts';
import type { Message } from './message.ts';
import type { Session } from './session.ts';
import type { Subscription } from './subscription-tree.ts';

interface Feed {
  readonly messages: Iterator<Message>;
  readonly subscription: Subscription;
}

export class RetainedFeeds {
  readonly #upgradeQos: boolean;
  readonly #feeds = new Map<string, Feed>();

  /** @param upgradeQos deliver at the subscription's QoS where it is higher */
  constructor(upgradeQos: boolean) {
    this.#upgradeQos = upgradeQos;
  }

  /** Starts a feed, in place of one for the same filter that has not ended. */
  add(subscription: Subscription, messages: Iterator<Message>): void {
    this.#feeds.set(subscription.filter, { messages, subscription });
  }

  remove(filter: string): void {
    this.#feeds.delete(filter);
  }

  /** @param mayReceive the authorizer's word on a topic */
  pump(session: Session, mayReceive: (topic: string) => boolean): void {
    for (const [filter, { messages, subscription }] of this.#feeds) {
      for (;;) {
        if (!session.ready) return;
        const next = messages.next();
        if (next.done) break;
        const message = next.value;
        if (!mayReceive(message.topic.name)) continue;
        const upTo = this.#upgradeQos ? subscription.qos : message.qos;
        const qos = Math.min(upTo, subscription.qos) as QoS;
        session.deliverMessage(message, qos, true, subscription.identifiers, undefined);
      }
      this.#feeds.delete(filter);
    }
  }
}
