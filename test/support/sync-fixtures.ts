// Packets, keys and peers for the tests of the sync channel.

import { generate, type IPublishPacket } from 'mqtt-packet';
import { decodePublish } from '../../src/mqtt/publish-decoder.ts';
import { type ProtocolVersion, PublishView } from '../../src/mqtt/publish-view.ts';
import { decodeVarint, varintBytes } from '../../src/mqtt/varint.ts';
import { type ChannelKeys, deriveKeyRing } from '../../src/shared/key-ring.ts';
import { silentLogger } from '../../src/shared/logger.ts';
import { DATAGRAM_BYTES_DEFAULT } from '../../src/sync/limits.ts';
import type { SyncNodeOptions } from '../../src/sync/sync-options.ts';

const rings = new Map<string, ReturnType<typeof deriveKeyRing>>();

/** Derives keys once for each list of tokens, because stretching is slow on purpose. */
export async function syncKeys(...tokens: string[]): Promise<ChannelKeys> {
  const name = tokens.join(',');
  const ring = rings.get(name) ?? deriveKeyRing(tokens, 'shoal');
  rings.set(name, ring);
  return (await ring).sync;
}

/** Of a node that waits for no peer and filters nothing; its ports are the test's own. */
export function syncNodeOptions(
  keys: ChannelKeys,
): Omit<SyncNodeOptions, 'outbox' | 'randomNonce' | 'handler'> {
  return {
    bootId: 1n,
    keys,
    encrypt: false,
    topics: ['#'],
    datagramBytes: DATAGRAM_BYTES_DEFAULT,
    receiveBufferBytes: 4_000_000,
    queueLength: 10,
    queuePolicy: 'discard-newest',
    expectsPeers: false,
    joinWaitMs: 0,
    localPort: 7947,
    isSuspect: () => false,
    now: 0,
    log: silentLogger,
  };
}

export type PublishInput = Partial<Omit<IPublishPacket, 'cmd'>> & { topic: string };

/** A PUBLISH as a client would send it. */
export function publishPacket(input: PublishInput, version: ProtocolVersion = 5): Buffer {
  const qos = input.qos ?? 0;
  const packet: IPublishPacket = {
    cmd: 'publish',
    dup: false,
    retain: false,
    payload: Buffer.alloc(0),
    ...input,
    qos,
    ...(qos > 0 ? { messageId: input.messageId ?? 7 } : {}),
  };
  return generate(packet, { protocolVersion: version });
}

/** The view that the broker would have of a packet. */
export function viewOf(packet: Buffer, version: ProtocolVersion = 5): PublishView {
  const view = new PublishView();
  const remaining = decodeVarint(packet, 1, packet.length);
  const fault = decodePublish(view, packet, 0, 1 + varintBytes(remaining), packet.length, version);
  if (fault !== undefined) throw new Error(fault.text);
  return view;
}

export function topicOf(view: PublishView): Buffer {
  return view.buffer.subarray(view.topicStart, view.topicEnd);
}

export function payloadOf(view: PublishView): Buffer {
  return view.buffer.subarray(view.payloadStart, view.end);
}
