// A subscription, and its subscriber as routing sees it. Routing knows no Session: all it needs is
// here, and tests give it less than a session.

import type { PublishRun } from '../../mqtt/publish-run.ts';
import type { QoS } from '../../mqtt/publish-view.ts';
import type { ClientAccount } from '../accounts.ts';
import type { Message } from '../message/message.ts';
import type { Publication } from '../message/publication.ts';
import type { Identity } from '../ports.ts';
import type { SharedGroup } from './shared-group.ts';

/** Takes the messages of a client's subscriptions, whether the client is connected or not. */
export interface Subscriber {
  readonly identity: Identity;
  /** Pays for the tree's nodes and shapes that its filters add. */
  readonly account: ClientAccount;
  /** The client is connected. */
  readonly online: boolean;
  /** A message would be sent at once, whatever its QoS. */
  readonly ready: boolean;
  /** Of the node itself: the ACL does not apply. */
  readonly isUnrestricted?: boolean;
  /**
   * Sends the message at once if possible; otherwise queues or drops it.
   * @param identifiers Subscription Identifiers
   * @param group set for a Shared Subscription, so that another member can take the message over
   */
  deliver(
    publication: Publication,
    qos: QoS,
    retain: boolean,
    identifiers: readonly number[],
    group: SharedGroup | undefined,
  ): void;
  /** True if all messages of the run would go out at once and as they came, or none, as the client is not connected. */
  takesRun?(run: PublishRun): boolean;
  /** Sends a run that takesRun() has taken. */
  deliverRun?(run: PublishRun): void;
  /** The same for a message that no router handles: a retained one, or one handed over. */
  deliverMessage(
    message: Message,
    qos: QoS,
    retain: boolean,
    identifiers: readonly number[],
    group: SharedGroup | undefined,
  ): void;
}

/** One Subscription of one session. A change replaces the object. */
export interface Subscription {
  readonly subscriber: Subscriber;
  /** As in the SUBSCRIBE packet, `$share/{ShareName}/` included. */
  readonly filter: string;
  readonly qos: QoS;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  /** Empty, or the one Subscription Identifier; merged targets have several. */
  readonly identifiers: readonly number[];
}
