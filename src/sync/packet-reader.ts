// Turns one sender's data bodies, in order, back into PUBLISH packets: cuts pieces, puts split
// packets together, checks every packet strictly, and counts by the packets' numbers exactly those
// that did not arrive. Knows nothing of datagrams or time.
// Invariants: what `deliver` sees is a well-formed MQTT 5 PUBLISH under 4096 bytes with a Topic
// Name without wildcard or leading `$` and no Topic Alias; at most PUBLISH_BYTES_MAX bytes are held.

import { PacketType, packetTypeOf } from '../mqtt/packet-type.ts';
import { PropertyId, walkProperties } from '../mqtt/properties.ts';
import { decodePublish } from '../mqtt/publish-decoder.ts';
import { PublishView } from '../mqtt/publish-view.ts';
import { isReservedTopicBytes } from '../mqtt/topic.ts';
import { isStrictUtf8 } from '../mqtt/utf8.ts';
import { decodeVarint, varintBytes } from '../mqtt/varint.ts';
import { DATA_HEADER_BYTES, firstNumberOf, firstStartOf } from './body-codec.ts';
import type { PeerCounters } from './counters.ts';
import { PUBLISH_BYTES_MAX } from './limits.ts';

const PLUS = 0x2b;
const HASH = 0x23;

/** `view` is valid during the call only. */
export type Deliver = (view: PublishView) => void;

export class PacketReader {
  readonly #view = new PublishView();
  readonly #counters: PeerCounters;
  readonly #deliver: Deliver;
  #nextNumber: number;
  /** The split packet of which we have the beginning. */
  #partial: Buffer | undefined;
  #partialBytes = 0;
  /** 0 while there is none. */
  #partialTotal = 0;

  /** @param firstNumber number of the first packet that is expected */
  constructor(firstNumber: number, counters: PeerCounters, deliver: Deliver) {
    this.#nextNumber = firstNumber;
    this.#counters = counters;
    this.#deliver = deliver;
  }

  get nextNumber(): number {
    return this.#nextNumber;
  }

  get hasPartial(): boolean {
    return this.#partialTotal > 0;
  }

  /** Forgets the split packet of which the rest will not come. */
  abandonPartial(): void {
    if (this.#partialTotal === 0) return;
    this.#partialTotal = 0;
    this.#counters.lostMessages += 1;
  }

  /** @param body a data body (bodyKind() said so), the next one of this sender */
  read(body: Buffer): void {
    const number = firstNumberOf(body);
    const firstStart = DATA_HEADER_BYTES + firstStartOf(body);
    if (number < this.#nextNumber) {
      this.#counters.malformed += 1;
      return;
    }
    if (this.#partialTotal > 0) {
      if (number === this.#nextNumber) this.#continuePartial(body, firstStart);
      else this.abandonPartial();
    }
    this.#counters.lostMessages += number - this.#nextNumber;
    this.#nextNumber = number;
    this.#readPackets(body, firstStart);
  }

  #continuePartial(body: Buffer, end: number): void {
    const bytes = end - DATA_HEADER_BYTES;
    const missing = this.#partialTotal - this.#partialBytes;
    const isRest = end < body.length || bytes === missing;
    if (
      this.#partial === undefined ||
      bytes === 0 ||
      bytes > missing ||
      (isRest && bytes < missing)
    ) {
      this.abandonPartial();
      return;
    }
    body.copy(this.#partial, this.#partialBytes, DATA_HEADER_BYTES, end);
    this.#partialBytes += bytes;
    if (!isRest) return;
    const total = this.#partialTotal;
    this.#partialTotal = 0;
    this.#take(this.#partial, 0, total);
  }

  #readPackets(body: Buffer, firstStart: number): void {
    const { length } = body;
    let position = firstStart;
    while (position < length) {
      const remaining = decodeVarint(body, position + 1, length);
      const total = 1 + varintBytes(remaining) + remaining;
      if (
        remaining < 0 ||
        total > PUBLISH_BYTES_MAX ||
        packetTypeOf(body[position]!) !== PacketType.publish
      ) {
        // Where the next packet begins can't be told; its number says later what was lost here.
        this.#counters.malformed += 1;
        return;
      }
      this.#nextNumber += 1;
      const end = position + total;
      if (end > length) this.#beginPartial(body, position, total);
      else this.#take(body, position, end);
      position = end;
    }
  }

  #beginPartial(body: Buffer, start: number, total: number): void {
    this.#partial ??= Buffer.allocUnsafeSlow(PUBLISH_BYTES_MAX);
    this.#partialBytes = body.copy(this.#partial, 0, start);
    this.#partialTotal = total;
  }

  #take(buffer: Buffer, start: number, end: number): void {
    const view = this.#view;
    if (!readPublish(view, buffer, start, end)) {
      this.#counters.malformed += 1;
      return;
    }
    this.#counters.receivedMessages += 1;
    this.#deliver(view);
  }
}

/** Fills `view`; false if the packet is not one that a peer may send. */
function readPublish(view: PublishView, buffer: Buffer, start: number, end: number): boolean {
  const bodyStart = start + (buffer[start + 1]! < 0x80 ? 2 : 3);
  if (decodePublish(view, buffer, start, bodyStart, end, 5) !== undefined) return false;
  if (!isForwardableTopic(buffer, view.topicStart, view.topicEnd)) return false;
  return view.propertiesEnd === view.propertiesStart || hasGoodProperties(view);
}

function isForwardableTopic(buffer: Buffer, start: number, end: number): boolean {
  if (start === end || isReservedTopicBytes(buffer, start)) return false;
  return !hasWildcard(buffer, start, end) && isStrictUtf8(buffer, start, end);
}

function hasWildcard(buffer: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    const byte = buffer[i];
    if (byte === PLUS || byte === HASH) return true;
  }
  return false;
}

function hasGoodProperties(view: PublishView): boolean {
  const { buffer } = view;
  let isGood = true;
  const fault = walkProperties(
    buffer,
    view.propertiesStart,
    view.propertiesEnd,
    'publish',
    (id, start, end) => {
      if (id === PropertyId.topicAlias) isGood = false;
      if (id === PropertyId.responseTopic && hasWildcard(buffer, start + 2, end)) isGood = false;
    },
  );
  return fault === undefined && isGood;
}
