// A peer with the token and a broken or hostile program, and the sync node that it attacks: whatever the peer's
// authentic datagrams hold, clients of the node get only well-formed messages.

import assert from 'node:assert/strict';
import { isStrictUtf8 } from '../../src/mqtt/utf8.ts';
import { ENVELOPE_HEADER_BYTES, ENVELOPE_TAG_BYTES, Sealer } from '../../src/shared/envelope.ts';
import type { ChannelKeys } from '../../src/shared/key-ring.ts';
import { writeDataHeader, writeSequence, writeWelcome } from '../../src/sync/body-codec.ts';
import { PUBLISH_BYTES_MAX } from '../../src/sync/limits.ts';
import { SyncNode } from '../../src/sync/sync-node.ts';
import { syncNodeOptions } from './sync-fixtures.ts';

const SEGMENT_START = ENVELOPE_HEADER_BYTES + 16;

export class HostilePeer {
  readonly #sealer: Sealer;
  readonly #buffer = Buffer.alloc(8192);
  sequence = 1;
  number = 1;

  constructor(keys: ChannelKeys) {
    this.#sealer = new Sealer(keys, 2n, false);
  }

  data(segment: Buffer, firstStart = 0): Buffer {
    writeDataHeader(this.#buffer, ENVELOPE_HEADER_BYTES, firstStart & 0xffff, this.number);
    writeSequence(this.#buffer, ENVELOPE_HEADER_BYTES, this.sequence);
    segment.copy(this.#buffer, SEGMENT_START);
    return this.#seal(SEGMENT_START + segment.length);
  }

  welcome(): Buffer {
    const start = { sequence: 1, number: 1 };
    return this.#seal(
      writeWelcome(this.#buffer, ENVELOPE_HEADER_BYTES, Buffer.alloc(8, 9), 1400, start),
    );
  }

  raw(body: Buffer): Buffer {
    body.copy(this.#buffer, ENVELOPE_HEADER_BYTES);
    return this.#seal(ENVELOPE_HEADER_BYTES + body.length);
  }

  #seal(end: number): Buffer {
    return Buffer.from(this.#sealer.seal(this.#buffer.subarray(0, end + ENVELOPE_TAG_BYTES), end));
  }
}

/** A node that has welcomed the peer. */
export function victimOf(keys: ChannelKeys): {
  node: SyncNode;
  peer: HostilePeer;
  delivered: () => number;
} {
  let delivered = 0;
  const node = new SyncNode({
    ...syncNodeOptions(keys),
    outbox: { send: () => true, isReady: () => true },
    randomNonce: () => Buffer.alloc(8, 9),
    handler: {
      publishFromPeer: (view) => {
        delivered += 1;
        const { buffer, topicStart, topicEnd } = view;
        const topic = buffer.toString('utf8', topicStart, topicEnd);
        assert.ok(topic.length > 0 && !/^\$|[+#\0]/.test(topic), JSON.stringify(topic));
        assert.ok(isStrictUtf8(buffer, topicStart, topicEnd));
        assert.ok(view.end - view.start <= PUBLISH_BYTES_MAX);
        assert.ok(view.start < view.topicStart && view.payloadStart <= view.end);
        assert.ok(view.end <= buffer.length);
      },
    },
  });
  node.setPeers([{ name: 'x', bootId: 2n, endpoint: { address: '10.0.0.2', port: 1 } }], 0);
  const peer = new HostilePeer(keys);
  node.receive(peer.welcome(), 0);
  return { node, peer, delivered: () => delivered };
}
