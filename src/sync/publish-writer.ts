// Writes a local client's PUBLISH, of any protocol version, as the MQTT 5 PUBLISH that peers read:
// it clears DUP, writes the topic out where the client used an alias, and leaves out the properties
// that apply to one connection only. The order of the others is kept [MQTT5-3.3.2-18]. A version 5
// packet that needs none of this is copied unchanged. DUP marks a packet that a stamp follows.
// Invariant: allocates nothing, because it runs for every message.

import { PublishFlag } from '../mqtt/packet-type.ts';
import { PropertyId, walkProperties } from '../mqtt/properties.ts';
import type { PublishView } from '../mqtt/publish-view.ts';
import { encodeVarint, varintBytes } from '../mqtt/varint.ts';
import { copyBytes } from '../shared/copy-bytes.ts';
import type { Stamp } from '../shared/stamp.ts';
import { writeStamp } from './body-codec.ts';
import { STAMP_BYTES } from './limits.ts';

/** Reusable: call measure(), then write() with the same packet. */
export class PublishWriter {
  /** Size of the measured packet in MQTT 5 form, fixed header included. */
  packetBytes = 0;
  #stamp: Stamp | undefined;
  #isVerbatim = false;
  #remaining = 0;
  #keptBytes = 0;
  #hasDropped = false;
  #view: PublishView | undefined;
  #target: Buffer | undefined;
  #position = 0;

  /** What write() writes: the packet and its stamp. */
  get bytes(): number {
    return this.#stamp === undefined ? this.packetBytes : this.packetBytes + STAMP_BYTES;
  }

  /**
   * @param stamp version of a replicated retained value; its writer is this node, or is known otherwise
   * @returns this.packetBytes
   */
  measure(view: PublishView, topic: Buffer, stamp?: Stamp): number {
    this.#stamp = stamp;
    this.#keptBytes = view.propertiesEnd - view.propertiesStart;
    this.#hasDropped = false;
    if (this.#keptBytes > 0) this.#measureProperties(view);
    const ownTopic = view.topicEnd > view.topicStart;
    this.#isVerbatim = view.version === 5 && ownTopic && !this.#hasDropped;
    if (this.#isVerbatim) {
      this.packetBytes = view.end - view.start;
      return this.packetBytes;
    }
    this.#remaining =
      2 +
      topic.length +
      (view.qos > 0 ? 2 : 0) +
      varintBytes(this.#keptBytes) +
      this.#keptBytes +
      (view.end - view.payloadStart);
    this.packetBytes = 1 + varintBytes(this.#remaining) + this.#remaining;
    return this.packetBytes;
  }

  /** Writes the packet that was measured last into `target` at `at`; `bytes` bytes must be free there. */
  write(view: PublishView, topic: Buffer, target: Buffer, at: number): void {
    this.#writePacket(view, topic, target, at);
    if (this.#stamp === undefined) return;
    target[at] = target[at]! | PublishFlag.dup;
    writeStamp(target, at + this.packetBytes, this.#stamp);
  }

  #writePacket(view: PublishView, topic: Buffer, target: Buffer, at: number): void {
    const { buffer } = view;
    const firstByte = buffer[view.start]! & ~PublishFlag.dup;
    if (this.#isVerbatim) {
      copyBytes(target, at, buffer, view.start, view.end);
      target[at] = firstByte;
      return;
    }
    target[at] = firstByte;
    let position = encodeVarint(target, at + 1, this.#remaining);
    target[position] = topic.length >> 8;
    target[position + 1] = topic.length & 0xff;
    position = copyBytes(target, position + 2, topic, 0, topic.length);
    if (view.qos > 0) {
      target[position++] = view.packetId >> 8;
      target[position++] = view.packetId & 0xff;
    }
    position = encodeVarint(target, position, this.#keptBytes);
    if (this.#keptBytes > 0) position = this.#writeProperties(view, target, position);
    copyBytes(target, position, buffer, view.payloadStart, view.end);
  }

  #measureProperties(view: PublishView): void {
    walkProperties(
      view.buffer,
      view.propertiesStart,
      view.propertiesEnd,
      'publish',
      this.#measureOne,
    );
  }

  readonly #measureOne = (id: number, start: number, end: number): void => {
    if (isKept(id)) return;
    this.#keptBytes -= end - start + 1;
    this.#hasDropped = true;
  };

  #writeProperties(view: PublishView, target: Buffer, at: number): number {
    if (!this.#hasDropped) {
      return copyBytes(target, at, view.buffer, view.propertiesStart, view.propertiesEnd);
    }
    this.#view = view;
    this.#target = target;
    this.#position = at;
    walkProperties(
      view.buffer,
      view.propertiesStart,
      view.propertiesEnd,
      'publish',
      this.#writeOne,
    );
    this.#view = this.#target = undefined;
    return this.#position;
  }

  readonly #writeOne = (id: number, start: number, end: number): void => {
    const { buffer } = this.#view ?? {};
    if (buffer === undefined || this.#target === undefined || !isKept(id)) return;
    this.#position = copyBytes(this.#target, this.#position, buffer, start - 1, end);
  };
}

function isKept(id: number): boolean {
  return id !== PropertyId.topicAlias && id !== PropertyId.subscriptionIdentifier;
}
