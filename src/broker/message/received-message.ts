// A message of QoS 1 or 2 that keeps the packet in which it arrived. Most are acknowledged before anything reads
// their payload: the view of it is made at the first reading, and so mostly never.
// Invariant: it has a payload of its own before it gives its packet up.

import type { QoS } from '../../mqtt/publish-view.ts';
import type { ClientAccount } from '../accounts.ts';
import type { Identity } from '../identity.ts';
import type { Message, StoredMark, Topic } from './message.ts';
import type { ReceivedPacket } from './received-packet.ts';

export class ReceivedMessage implements Message {
  readonly topic: Topic;
  packet: ReceivedPacket | undefined;
  properties: Buffer;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly expiresAt: number;
  publisher: Identity | undefined = undefined;
  mark: StoredMark | undefined = undefined;
  payer: ClientAccount | undefined = undefined;
  holders = 0;
  hopId: string | undefined = undefined;
  #payload: Buffer | undefined = undefined;

  constructor(
    topic: Topic,
    packet: ReceivedPacket,
    properties: Buffer,
    qos: QoS,
    retain: boolean,
    expiresAt: number,
  ) {
    this.topic = topic;
    this.packet = packet;
    this.properties = properties;
    this.qos = qos;
    this.retain = retain;
    this.expiresAt = expiresAt;
  }

  get payload(): Buffer {
    this.#payload ??= this.packet!.payload();
    return this.#payload;
  }

  set payload(payload: Buffer) {
    this.#payload = payload;
  }
}
