// A retained message in the form in which it is kept: without its topic, which its place in the tree has,
// and with its bytes as text. A Buffer takes some 400 bytes besides its contents, an object of its own outside of
// the heap among them; a text takes 16. Knows no tree.
// Invariant: what a subscriber gets from it has the same bytes as the message it was made of.

import type { QoS } from '../../mqtt/publish-view.ts';
import type { UserAccount } from '../accounts.ts';
import { type Message, NO_BYTES, newTopic, ownBuffer } from '../message/message.ts';
import type { Identity } from '../ports.ts';

/** Longer ones stay a Buffer, which subscribers share instead of copying it. */
const TEXT_BYTES_MAX = 4096;

export class KeptMessage {
  readonly #payload: string | Buffer;
  readonly #properties: string | Buffer;
  readonly qos: QoS;
  /** Milliseconds of the core's clock; undefined: never. V8 would give Infinity an object of its own. */
  readonly #expiresAt: number | undefined;
  readonly publisher: Identity | undefined;
  /** The user that published the message; undefined for a peer, the broker or the store. */
  readonly payer: UserAccount | undefined;
  /** Memory that the message is charged with. */
  readonly bytes: number;

  constructor(message: Message, payer: UserAccount | undefined, bytes: number) {
    this.#payload = compact(message.payload);
    this.#properties = compact(message.properties);
    this.qos = message.qos;
    const { expiresAt } = message;
    this.#expiresAt = expiresAt === Number.POSITIVE_INFINITY ? undefined : expiresAt;
    this.publisher = message.publisher;
    this.payer = payer;
    this.bytes = bytes;
  }

  /** Milliseconds of the core's clock; Infinity: never. */
  get expiresAt(): number {
    return this.#expiresAt ?? Number.POSITIVE_INFINITY;
  }

  /** A new message for subscribers, with a topic of its own. */
  toMessage(topic: string): Message {
    return {
      topic: newTopic(topic, Buffer.from(topic, 'utf8')),
      payload: expand(this.#payload),
      properties: expand(this.#properties),
      qos: this.qos,
      retain: true,
      expiresAt: this.expiresAt,
      mark: undefined,
      holders: 0,
      hopId: undefined,
      packet: undefined,
      publisher: this.publisher,
      payer: undefined,
    };
  }
}

function compact(bytes: Buffer): string | Buffer {
  return bytes.length > TEXT_BYTES_MAX ? ownBuffer(bytes) : bytes.toString('latin1');
}

function expand(bytes: string | Buffer): Buffer {
  if (typeof bytes !== 'string') return bytes;
  return bytes.length === 0 ? NO_BYTES : Buffer.from(bytes, 'latin1');
}
