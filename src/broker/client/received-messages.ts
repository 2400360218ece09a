// The QoS 1 and 2 messages that a client has sent on this connection and that are not yet
// acknowledged: counted against our Receive Maximum (MQTT 5.0 4.9), and acknowledged once the store
// has recorded them.

import { FirstByte } from '../../mqtt/packet-type.ts';
import { isFailure, ReasonCode } from '../../mqtt/reason-code.ts';
import type { BrokerContext } from '../context.ts';
import { PacketIdSet } from '../session/packet-id-set.ts';
import type { Client } from './client.ts';

export class ReceivedMessages {
  readonly #client: Client;
  readonly #context: BrokerContext;
  #unfinished: PacketIdSet | undefined;
  /** Memory that is charged for them. */
  #bytes = 0;

  constructor(client: Client, context: BrokerContext) {
    this.#client = client;
    this.#context = context;
  }

  get unfinished(): number {
    return this.#unfinished?.size ?? 0;
  }

  #charge({ bytes }: PacketIdSet): void {
    if (bytes === this.#bytes) return;
    this.#client.memory.charge(bytes - this.#bytes);
    this.#bytes = bytes;
  }

  /** Counts a QoS 1 or 2 message; false if it exceeds our Receive Maximum [MQTT5-3.3.4-9]. */
  begin(packetId: number): boolean {
    this.#unfinished ??= new PacketIdSet();
    this.#unfinished.add(packetId);
    this.#charge(this.#unfinished);
    const { receiveMaximum } = this.#context.options;
    return this.#client.version !== 5 || this.#unfinished.size <= receiveMaximum;
  }

  /**
   * Acknowledges once the store has made the message durable. PUBACK, PUBCOMP and a PUBREC with an
   * error end the exchange and free its place in the window.
   * @param remark Reason String for an accepted message, MQTT 5 only
   */
  acknowledge(header: number, packetId: number, reasonCode: number, remark?: string): void {
    // The store has no record of what a PUBCOMP of a session without persistence ends.
    const isRecorded =
      this.#context.store.durable &&
      (header !== FirstByte.pubcomp || this.#client.session?.isPersistent === true);
    if (isRecorded) this.#acknowledgeOnceDurable(header, packetId, reasonCode, remark);
    else this.#finish(header, packetId, reasonCode, remark);
  }

  #acknowledgeOnceDurable(
    header: number,
    packetId: number,
    reasonCode: number,
    remark: string | undefined,
  ): void {
    const { store, budget } = this.#context;
    const { version, isLocal } = this.#client;
    // Only MQTT 5 has a Reason Code for a refusal. An accepted QoS 2 message cannot be refused any
    // more: subscribers have it, and a repetition would deliver it twice.
    const mayRefuse =
      version === 5 &&
      !isLocal &&
      (header === FirstByte.puback || (isFailure(reasonCode) && !store.accepting));
    const done = (now: number): void => {
      budget.resume(now);
      this.#finish(header, packetId, reasonCode, remark);
    };
    const refused = (now: number): void => {
      budget.resume(now);
      this.#finish(header, packetId, ReasonCode.quotaExceeded);
    };
    const state = store.whenDurable(done, mayRefuse ? refused : undefined);
    if (state === 'durable') this.#finish(header, packetId, reasonCode, remark);
    else if (state === 'refused') this.#finish(header, packetId, ReasonCode.quotaExceeded);
  }

  #finish(header: number, packetId: number, reasonCode: number, remark?: string): void {
    const client = this.#client;
    if (client.closed) return;
    if (header !== FirstByte.pubrec || isFailure(reasonCode)) this.#unfinished?.delete(packetId);
    // [MQTT5-3.1.2-29] without Request Problem Information there is no Reason String.
    if (remark !== undefined && client.version === 5 && client.requestProblemInformation) {
      client.link.sendAckWithRemark(header, packetId, reasonCode, remark);
    } else {
      client.link.sendAck(header, packetId, reasonCode);
    }
  }
}
