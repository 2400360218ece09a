// One message on its way to one session (MQTT 5.0 4.3, 4.4), and the states it goes through.
//
//   from      to        when
//   queued    sent      PUBLISH left with a Packet Identifier
//   queued    held      QoS 2 of a persistent session: PUBLISH waits until its identifier is in the store
//   queued    done      sent with QoS 0, too large for the client, dropped, expired or handed over
//   held      sent      the store has the identifier
//   held      unsent    the connection ended first
//   sent      released  PUBREC arrived: PUBREL is owed
//   sent      resend    the connection ended: PUBLISH is repeated with DUP on the next one
//   released  rerelease the connection ended: PUBREL is repeated on the next one
//   unsent    sent      PUBLISH left on the next connection, without DUP
//   resend    sent      PUBLISH was repeated
//   resend    rerelease PUBREC arrived before the repetition, or the message may no longer be delivered
//   all but   done      acknowledged, handed over, no longer permitted, or the session ended
//   queued
//
// `held`, `sent` and `released` count against the client's Receive Maximum. A delivery has a Packet
// Identifier in every state from `held` on. Whether the store and QueueMemory have recorded a
// delivery does not depend on its state, so these are flags of their own.

import type { QoS } from '../../mqtt/publish-view.ts';
import type { Message } from '../message/message.ts';
import type { DeliveryRecord } from '../ports.ts';
import type { SharedGroup } from '../routing/shared-group.ts';

export const DeliveryState = {
  queued: 0,
  held: 1,
  sent: 2,
  released: 3,
  unsent: 4,
  resend: 5,
  rerelease: 6,
  done: 7,
} as const;

type State = (typeof DeliveryState)[keyof typeof DeliveryState];

const { queued, held, sent, released, unsent, resend, rerelease, done } = DeliveryState;

/** By state, one bit for each state that may follow. */
const FOLLOWERS: readonly number[] = [
  (1 << sent) | (1 << held) | (1 << done),
  (1 << sent) | (1 << unsent) | (1 << done),
  (1 << released) | (1 << resend) | (1 << done),
  (1 << rerelease) | (1 << done),
  (1 << sent) | (1 << done),
  (1 << sent) | (1 << rerelease) | (1 << done),
  1 << done,
  0,
];

export class Delivery implements DeliveryRecord {
  readonly id: number;
  readonly message: Message;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly identifiers: readonly number[];
  /** Set for a Shared Subscription, so that another member can take the message over. */
  readonly group: SharedGroup | undefined;
  /** 0 in state `queued` and with QoS 0. */
  packetId = 0;
  /** Position among the deliveries in flight: they are repeated in this order. */
  order = 0;
  #state: State = queued;
  /** The store has recorded it. */
  isInStore = false;
  /** QueueMemory has counted it. */
  isCounted = false;
  /** It was queued before it was sent, or is queued still. */
  hasWaited = false;

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

  /** A delivery that an earlier run of the node had sent, and perhaps released. */
  static restored(record: DeliveryRecord): Delivery {
    const { id, message, qos, retain, identifiers, packetId } = record;
    const delivery = new Delivery(id, message, qos, retain, identifiers, undefined);
    delivery.isInStore = true;
    delivery.packetId = packetId;
    if (packetId > 0) delivery.#state = record.released ? rerelease : resend;
    return delivery;
  }

  get state(): State {
    return this.#state;
  }

  /** @throws Error for a transition that the table above does not have: a fault of the broker */
  moveTo(next: State): void {
    if (((FOLLOWERS[this.#state]! >> next) & 1) === 0) {
      throw new Error(`a delivery cannot go from state ${this.#state} to ${next}`);
    }
    this.#state = next;
  }

  /** Counts against the client's Receive Maximum. */
  get isInWindow(): boolean {
    const state = this.#state;
    return state === sent || state === held || state === released;
  }

  /** PUBLISH has left, on this connection or an earlier one: the client may acknowledge it. */
  get wasSent(): boolean {
    const state = this.#state;
    return state !== queued && state !== held && state !== unsent && state !== done;
  }

  /** PUBREC has arrived: PUBREL is owed, the message itself is delivered. */
  get released(): boolean {
    return this.#state === released || this.#state === rerelease;
  }
}
