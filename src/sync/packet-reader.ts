// Turns one sender's data bodies, in order, back into PUBLISH packets and hands them to the broker:
// cuts segments, joins split packets, checks every packet strictly, and counts exactly the packets
// that did not arrive, by their numbers. Knows nothing of sockets or timers.
// Invariants: the broker gets only well-formed MQTT 5 PUBLISH packets under 4096 bytes, with a Topic
// Name that has no wildcard and no leading `$`, and without Topic Alias; at most PUBLISH_BYTES_MAX
// bytes are retained.

import { PacketType, PublishFlag, packetTypeOf } from '../mqtt/packet-type.ts';
import { PropertyId, walkProperties } from '../mqtt/properties.ts';
import { decodePublish } from '../mqtt/publish-decoder.ts';
import { PublishView } from '../mqtt/publish-view.ts';
import { isReservedTopicBytes } from '../mqtt/topic.ts';
import { isStrictUtf8 } from '../mqtt/utf8.ts';
import { decodeVarint, varintBytes } from '../mqtt/varint.ts';
import type { Stamp } from '../shared/stamp.ts';
import { DATA_HEADER_BYTES, firstNumberOf, firstStartOf, readStamp } from './body-codec.ts';
import type { PeerCounters } from './counters.ts';
import { PUBLISH_BYTES_MAX, STAMP_BYTES } from './limits.ts';

const PLUS = 0x2b;
const HASH = 0x23;

/** Takes the PUBLISH packets of peers. The broker implements it. */
export interface PeerPublishHandler {
  /**
   * @param view in MQTT 5 form; valid during the call only, but no one writes to its bytes afterwards
   * @param now when the last byte of it arrived, ms
   * @param number of the packet in the sender's stream; undefined for one that came beside it
   * @param stamp version of a replicated retained value
   */
  publishFromPeer(
    view: PublishView,
    now: number,
    sender: Sender,
    number: number | undefined,
    stamp?: Stamp,
  ): void;
}

/** The node that a stream comes from. */
export interface Sender {
  readonly name: string;
  readonly bootId: bigint;
  /** bootSeed() of it. */
  readonly seed: number;
}

export class PacketReader {
  readonly #view = new PublishView();
  readonly #counters: PeerCounters;
  readonly #sender: Sender;
  readonly #handler: PeerPublishHandler;
  #nextNumber: number;
  /** A split packet that is incomplete. */
  #partial: Buffer | undefined;
  /** Bytes of it that have arrived. */
  #partialBytes = 0;

  /** @param firstNumber number of the first packet to expect */
  constructor(
    firstNumber: number,
    counters: PeerCounters,
    sender: Sender,
    handler: PeerPublishHandler,
  ) {
    this.#nextNumber = firstNumber;
    this.#counters = counters;
    this.#sender = sender;
    this.#handler = handler;
  }

  /** Number of the next packet to begin. */
  get nextNumber(): number {
    return this.#nextNumber;
  }

  /** True while a split packet is incomplete. */
  get hasPartial(): boolean {
    return this.#partial !== undefined;
  }

  /** Discards the incomplete packet, because the rest of it will not arrive. */
  abandonPartial(): void {
    if (this.#partial === undefined) return;
    this.#partial = undefined;
    this.#counters.lostMessages += 1;
  }

  /**
   * Handles the news that every packet below `number` has been sent and can't arrive any more,
   * except for one that is incomplete.
   */
  skipTo(number: number): void {
    if (number <= this.#nextNumber) return;
    this.abandonPartial();
    this.#counters.lostMessages += number - this.#nextNumber;
    this.#nextNumber = number;
  }

  /** @param body the sender's next data body, checked by bodyKind(); the reader's from now on */
  read(body: Buffer, now: number): void {
    const number = firstNumberOf(body);
    const firstStart = DATA_HEADER_BYTES + firstStartOf(body);
    if (number < this.#nextNumber) {
      this.#counters.malformed += 1;
      return;
    }
    if (this.#partial !== undefined) {
      if (number === this.#nextNumber) this.#continuePartial(this.#partial, body, firstStart, now);
      else this.abandonPartial();
    }
    this.#counters.lostMessages += number - this.#nextNumber;
    this.#nextNumber = number;
    this.#readPackets(body, firstStart, now);
  }

  #continuePartial(partial: Buffer, body: Buffer, end: number, now: number): void {
    const bytes = end - DATA_HEADER_BYTES;
    const missing = partial.length - this.#partialBytes;
    const isRest = end < body.length || bytes === missing;
    if (bytes === 0 || bytes > missing || (isRest && bytes < missing)) {
      this.abandonPartial();
      return;
    }
    body.copy(partial, this.#partialBytes, DATA_HEADER_BYTES, end);
    this.#partialBytes += bytes;
    if (!isRest) return;
    this.#partial = undefined;
    this.#takePacket(partial, 0, partial.length, now);
  }

  #readPackets(body: Buffer, firstStart: number, now: number): void {
    const { length } = body;
    let position = firstStart;
    while (position < length) {
      const remaining = decodeVarint(body, position + 1, length);
      const packetBytes = 1 + varintBytes(remaining) + remaining;
      const isStamped = (body[position]! & PublishFlag.dup) !== 0;
      const total = isStamped ? packetBytes + STAMP_BYTES : packetBytes;
      if (
        remaining < 0 ||
        packetBytes > PUBLISH_BYTES_MAX ||
        packetTypeOf(body[position]!) !== PacketType.publish
      ) {
        // The next packet can't be found. The number in a later body shows how many were lost here.
        this.#counters.malformed += 1;
        return;
      }
      this.#nextNumber += 1;
      const end = position + total;
      if (end > length) this.#beginPartial(body, position, total);
      else this.#takePacket(body, position, end, now);
      position = end;
    }
  }

  #beginPartial(body: Buffer, start: number, total: number): void {
    this.#partial = Buffer.allocUnsafeSlow(total);
    this.#partialBytes = body.copy(this.#partial, 0, start);
  }

  #takePacket(buffer: Buffer, start: number, end: number, now: number): void {
    const isStamped = (buffer[start]! & PublishFlag.dup) !== 0;
    const packetEnd = isStamped ? end - STAMP_BYTES : end;
    const view = this.#view;
    if (!readPublish(view, buffer, start, packetEnd) || (isStamped && !view.retain)) {
      this.#counters.malformed += 1;
      return;
    }
    this.#counters.receivedMessages += 1;
    const sender = this.#sender;
    const stamp = isStamped ? readStamp(buffer, packetEnd, sender.bootId) : undefined;
    // Of two packets, the later one begins when the earlier one is complete.
    this.#handler.publishFromPeer(view, now, sender, this.#nextNumber - 1, stamp);
  }
}

/**
 * Fills `view`, and clears DUP.
 * @param end behind the packet, whose Remaining Length the caller has checked
 * @returns false if a peer may not send such a packet
 */
export function readPublish(
  view: PublishView,
  buffer: Buffer,
  start: number,
  end: number,
): boolean {
  buffer[start] = buffer[start]! & ~PublishFlag.dup;
  let bodyStart = start + 2;
  while (buffer[bodyStart - 1]! >= 0x80) bodyStart += 1;
  if (decodePublish(view, buffer, start, bodyStart, end, 5) !== undefined) return false;
  if (!isForwardableTopic(buffer, view.topicStart, view.topicEnd)) return false;
  return view.propertiesEnd === view.propertiesStart || hasAllowedProperties(view);
}

function isForwardableTopic(buffer: Buffer, start: number, end: number): boolean {
  if (start === end || isReservedTopicBytes(buffer, start)) return false;
  for (let i = start; i < end; i++) {
    const byte = buffer[i]!;
    if (byte === PLUS || byte === HASH || byte === 0) return false;
    if (byte >= 0x80) return !hasWildcard(buffer, i, end) && isStrictUtf8(buffer, i, end);
  }
  return true;
}

function hasWildcard(buffer: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    const byte = buffer[i];
    if (byte === PLUS || byte === HASH) return true;
  }
  return false;
}

function hasAllowedProperties(view: PublishView): boolean {
  const { buffer } = view;
  let isAllowed = true;
  const fault = walkProperties(
    buffer,
    view.propertiesStart,
    view.propertiesEnd,
    'publish',
    (id, start, end) => {
      if (id === PropertyId.topicAlias) isAllowed = false;
      if (id === PropertyId.responseTopic && hasWildcard(buffer, start + 2, end)) isAllowed = false;
    },
  );
  return fault === undefined && isAllowed;
}
