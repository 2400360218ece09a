// What a session needs of the connection that it is attached to. client/ implements both interfaces.

import type { PublishRun } from '../../mqtt/publish-run.ts';
import type { Publication } from '../message/publication.ts';
import type { Delivery } from './delivery.ts';

/** The way of packets to the client. */
export interface SessionLink {
  /** True while the client reads too slowly for further messages. */
  readonly congested: boolean;
  /** Unacknowledged QoS 1 and 2 messages that the client takes. */
  readonly sendWindow: number;
  sendQos0(publication: Publication, retain: boolean, identifiers: readonly number[]): void;
  /** True if the client gets the packets of the run as they came. */
  takesRun?(run: PublishRun): boolean;
  sendRun?(run: PublishRun): void;
  /** False: larger than the client's Maximum Packet Size; it counts as delivered [MQTT5-3.1.2-25]. */
  sendDelivery(delivery: Delivery, dup: boolean): boolean;
  sendPubrel(packetId: number): void;
  /** The budget of this turn is spent: the session's pump() is due again in the next. */
  continueLater(): void;
}

/** The client's connection. */
export interface SessionConnection {
  readonly link: SessionLink;
  /** Sends DISCONNECT (MQTT 5 only) and ends the connection; the session detaches before it returns. */
  disconnect(reasonCode: number, reason: string, withWill: boolean): void;
}
