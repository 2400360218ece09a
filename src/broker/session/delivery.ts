// One message on its way to one session, and what the session needs of a connection to send it.

import type { QoS } from '../../mqtt/publish-view.ts';
import type { Message } from '../message/message.ts';
import type { Publication } from '../message/publication.ts';
import type { SharedGroup } from '../routing/shared-group.ts';

/** One message for one session, on its way through the queue and the window. */
export class Delivery {
  readonly id: number;
  readonly message: Message;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly identifiers: readonly number[];
  /** Set where it came by a Shared Subscription, so that another member can take it over. */
  readonly group: SharedGroup | undefined;
  /** 0 until it was sent with QoS 1 or 2. */
  packetId = 0;
  /** Place in the order in which what is in flight is sent again. */
  order = 0;
  /** PUBREC came: PUBREL is owed, the message itself is done. */
  released = false;
  /** Sent on the present connection and not yet acknowledged: counts against the window. */
  outstanding = false;
  /** The store knows of it. */
  saved = false;
  /** In flight, but held back until it is safe. */
  unsent = false;
  /** QueueMemory has counted it. */
  counted = false;

  constructor(
    id: number,
    message: Message,
    qos: QoS,
    retain: boolean,
    identifiers: readonly number[],
    group: SharedGroup | undefined,
  ) {
    this.id = id;
    this.message = message;
    this.qos = qos;
    this.retain = retain;
    this.identifiers = identifiers;
    this.group = group;
  }
}

/** The session's side of a connection. */
export interface SessionLink {
  readonly congested: boolean;
  /** QoS 1 and 2 messages that the client takes unacknowledged. */
  readonly sendWindow: number;
  sendQos0(publication: Publication, retain: boolean, identifiers: readonly number[]): void;
  /** False: larger than the client's Maximum Packet Size, so it counts as delivered [MQTT5-3.1.2-25]. */
  sendDelivery(delivery: Delivery, dup: boolean): boolean;
  sendPubrel(packetId: number): void;
  readonly now: number;
}
