// Hands a new subscription its retained messages, as fast as the client takes them and no faster:
// a subscription to everything must neither overflow the session's queue nor be cut short by it.
// Messages are looked up as they are sent, so a stale one never follows a newer one. Looking for
// them is work of the turn, found or not.

import type { QoS } from '../../mqtt/publish-view.ts';
import type { Message } from '../message/message.ts';
import type { Subscription } from '../routing/subscription-tree.ts';
import type { Session } from '../session/session.ts';
import { NODES_A_STEP } from './retained-store.ts';

/** In deliveries of a cached route, as all work: a node looked at, a message found. */
const NODE_WORK = 25;
const MESSAGE_WORK = 50;

interface Feed {
  /** `undefined` for every NODES_A_STEP nodes that were looked at. */
  readonly messages: Iterator<Message | undefined>;
  readonly subscription: Subscription;
}

/** What the broker allows and is left to do in this turn. */
interface Turn {
  workLeft: number;
  readonly options: { readonly upgradeQos: boolean };
}

export class RetainedFeeds {
  readonly #turn: Turn;
  readonly #feeds = new Map<string, Feed>();

  constructor(turn: Turn) {
    this.#turn = turn;
  }

  /** Starts a feed, in place of one for the same filter that has not ended. */
  add(subscription: Subscription, messages: Iterator<Message | undefined>): void {
    this.#feeds.set(subscription.filter, { messages, subscription });
  }

  remove(filter: string): void {
    this.#feeds.delete(filter);
  }

  /**
   * @param mayReceive the authorizer's word on a topic
   * @returns false where the turn's work is used up and there is more to do
   */
  pump(session: Session, mayReceive: (topic: string) => boolean): boolean {
    const turn = this.#turn;
    for (const [filter, { messages, subscription }] of this.#feeds) {
      for (;;) {
        if (!session.ready) return true;
        if (turn.workLeft <= 0) return false;
        const next = messages.next();
        if (next.done) break;
        const message = next.value;
        turn.workLeft -= message === undefined ? NODES_A_STEP * NODE_WORK : MESSAGE_WORK;
        if (message === undefined || !mayReceive(message.topic.name)) continue;
        const upTo = turn.options.upgradeQos ? subscription.qos : message.qos;
        const qos = Math.min(upTo, subscription.qos) as QoS;
        session.deliverMessage(message, qos, true, subscription.identifiers, undefined);
      }
      turn.workLeft -= MESSAGE_WORK;
      this.#feeds.delete(filter);
    }
    return true;
  }
}
