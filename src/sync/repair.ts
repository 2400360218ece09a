// Sends and reads repair blocks (repair-codec.ts) for one node. Checks every packet of a peer as strictly as
// those of its stream.

import { PacketType, PublishFlag, packetTypeOf } from '../mqtt/packet-type.ts';
import { PublishView } from '../mqtt/publish-view.ts';
import { decodeVarint, varintBytes } from '../mqtt/varint.ts';
import { ENVELOPE_BYTES, ENVELOPE_HEADER_BYTES, ENVELOPE_TAG_BYTES } from '../shared/envelope.ts';
import type { Peer } from '../shared/peer.ts';
import type { Stamp } from '../shared/stamp.ts';
import { readStamp } from './body-codec.ts';
import type { PeerCounters } from './counters.ts';
import { PUBLISH_BYTES_MAX, REPAIR_DATAGRAM_BYTES_MAX, STAMP_BYTES } from './limits.ts';
import { readPublish } from './packet-reader.ts';
import { PublishWriter } from './publish-writer.ts';
import {
  FRAGMENTS_MAX,
  REPAIR_HEADER_BYTES,
  type RepairAssembler,
  type RepairHead,
  type RepairPacket,
  writeRepairHead,
} from './repair-codec.ts';

/** Takes what peers repair. */
export interface RepairHandler {
  /** A retained value, or its removal. @param view valid during the call only */
  repairFromPeer(view: PublishView, stamp: Stamp, now: number): void;
  /** All values of the block were handed over. @param member boot id of the peer */
  blockFromPeer(member: bigint, head: RepairHead, now: number): void;
}

/** A peer as far as repairs concern it. */
export interface RepairSource {
  readonly peer: Peer;
  readonly counters: PeerCounters;
  readonly repair: RepairAssembler;
}

const writer = new PublishWriter();

/** Bytes of a retained value in a block, and of its packet alone. */
export function repairBytes({ view, topic, stamp }: RepairPacket): {
  readonly packet: number;
  readonly withStamp: number;
} {
  const packet = writer.measure(view, topic, stamp);
  return { packet, withStamp: writer.bytes };
}

/** Room for packets in a block of one datagram. */
export function repairRoom(datagramBytes: number): number {
  return Math.min(datagramBytes, REPAIR_DATAGRAM_BYTES_MAX) - ENVELOPE_BYTES - REPAIR_HEADER_BYTES;
}

/**
 * Encodes a block.
 * @returns unsealed datagrams of at most `datagramBytes`, none if they would be too many
 */
export function encodeRepair(
  head: RepairHead,
  packets: readonly RepairPacket[],
  datagramBytes: number,
): Buffer[] {
  const block = Buffer.concat(packets.map(encodeRepairPacket));
  const room = repairRoom(datagramBytes);
  const count = Math.max(1, Math.ceil(block.length / room));
  if (count > FRAGMENTS_MAX) return [];
  return Array.from({ length: count }, (_, fragment) => {
    const part = block.subarray(fragment * room, (fragment + 1) * room);
    const datagram = Buffer.alloc(ENVELOPE_BYTES + REPAIR_HEADER_BYTES + part.length);
    writeRepairHead(datagram, ENVELOPE_HEADER_BYTES, head, fragment, count);
    part.copy(datagram, ENVELOPE_HEADER_BYTES + REPAIR_HEADER_BYTES);
    return datagram;
  });
}

/** Offset behind the body of a datagram that encodeRepair() made. */
export function repairEnd(datagram: Buffer): number {
  return datagram.length - ENVELOPE_TAG_BYTES;
}

export function encodeRepairPacket({ view, topic, stamp }: RepairPacket): Buffer {
  writer.measure(view, topic, stamp);
  const bytes = Buffer.alloc(writer.bytes);
  writer.write(view, topic, bytes, 0);
  return bytes;
}

/** Handles a repair body of a peer: hands a block on when all of it is there. */
export function handleRepair(
  { peer, counters, repair }: RepairSource,
  body: Buffer,
  handler: RepairHandler | undefined,
  now: number,
): void {
  const block = handler && repair.add(body);
  if (block === undefined) return;
  const values = readRepair(block.packets, block.head.writer, PUBLISH_BYTES_MAX);
  if (values === undefined) {
    counters.malformed += 1;
    return;
  }
  for (const { view, stamp } of values) handler?.repairFromPeer(view, stamp, now);
  handler?.blockFromPeer(peer.bootId, block.head, now);
}

/**
 * Reads the packets of a whole block.
 * @param bytesMax of one packet
 * @returns undefined if one is not a retained PUBLISH with its stamp, as a peer may send it
 */
export function readRepair(
  packets: Buffer,
  of: bigint,
  bytesMax: number,
): { readonly view: PublishView; readonly stamp: Stamp }[] | undefined {
  const found: { view: PublishView; stamp: Stamp }[] = [];
  let position = 0;
  while (position < packets.length) {
    const first = packets[position]!;
    const remaining = decodeVarint(packets, position + 1, packets.length);
    const end = position + 1 + varintBytes(remaining) + remaining;
    const isWhole =
      remaining >= 0 && end - position <= bytesMax && end + STAMP_BYTES <= packets.length;
    const isStamped = (first & PublishFlag.dup) !== 0 && (first & PublishFlag.retain) !== 0;
    if (!isWhole || !isStamped || packetTypeOf(first) !== PacketType.publish) return undefined;
    const view = new PublishView();
    if (!readPublish(view, packets, position, end)) return undefined;
    found.push({ view, stamp: readStamp(packets, end, of) });
    position = end + STAMP_BYTES;
  }
  return found;
}
