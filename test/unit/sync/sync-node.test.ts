// One sync node alone: which messages it forwards, to which peers, and as which bytes. Tests of two
// nodes together are in test/simulation/sync-*.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Endpoint } from '../../../src/shared/endpoint.ts';
import { ENVELOPE_BYTES, ENVELOPE_HEADER_BYTES, Sealer } from '../../../src/shared/envelope.ts';
import { type Logger, silentLogger } from '../../../src/shared/logger.ts';
import type { Peer } from '../../../src/shared/peer.ts';
import { NONCE_BYTES, WELCOME_BYTES, writeWelcome } from '../../../src/sync/body-codec.ts';
import { SyncNode } from '../../../src/sync/sync-node.ts';
import type { SyncNodeOptions } from '../../../src/sync/sync-options.ts';
import {
  publishPacket,
  syncKeys,
  syncNodeOptions,
  topicOf,
  viewOf,
} from '../../support/sync-fixtures.ts';

const keys = await syncKeys('token');
const KIND_AT = 24;
const KIND_DATA = 1;

interface Sent {
  readonly datagram: Buffer;
  /** The memory that was passed to the socket. */
  readonly memory: ArrayBufferLike;
  readonly to: Endpoint;
}

class Probe {
  readonly node: SyncNode;
  readonly #sealers = new Map<bigint, Sealer>();
  readonly sent: Sent[] = [];
  /** Returned by the socket: true if the bytes have left. */
  hasLeft = true;

  constructor(options: Partial<SyncNodeOptions> = {}) {
    this.node = new SyncNode({
      ...syncNodeOptions(keys),
      outbox: {
        send: (datagram, to) => {
          this.sent.push({ datagram: Buffer.from(datagram), memory: datagram.buffer, to });
          return this.hasLeft;
        },
        isReady: () => true,
      },
      randomNonce: () => Buffer.alloc(NONCE_BYTES),
      handler: { publishFromPeer: () => assert.fail('no peer has sent a message') },
      ...options,
    });
  }

  get data(): Sent[] {
    return this.sent.filter(({ datagram }) => datagram[KIND_AT] === KIND_DATA);
  }

  /** Sets the peers, and lets each of them answer the hello. */
  meet(...peers: Peer[]): void {
    this.node.setPeers(peers, 0);
    for (const { bootId } of peers) {
      const sealer = this.#sealers.get(bootId) ?? new Sealer(keys, bootId, false);
      this.#sealers.set(bootId, sealer);
      const welcome = Buffer.alloc(ENVELOPE_BYTES + WELCOME_BYTES);
      const at = ENVELOPE_HEADER_BYTES;
      const start = { sequence: 1, number: 1 };
      const end = writeWelcome(welcome, at, Buffer.alloc(NONCE_BYTES), 1400, start);
      this.node.receive(sealer.seal(welcome, end), 0);
    }
  }

  publish(topic: string, payload: Buffer | string = 'x', version: 4 | 5 = 5): void {
    const view = viewOf(publishPacket({ topic, payload }, version), version);
    this.node.forward(view, topicOf(view), 'client');
  }
}

function peer(bootId: bigint, port: number): Peer {
  return { name: `n${bootId}`, bootId, endpoint: { address: '10.0.0.1', port } };
}

test('every peer gets the same bytes, proof included', () => {
  const probe = new Probe();
  probe.meet(peer(2n, 2), peer(3n, 3));
  probe.publish('t');
  probe.node.flush(0);
  assert.deepEqual(
    probe.data.map(({ to }) => to.port),
    [2, 3],
  );
  assert.deepEqual(probe.data[0]?.datagram, probe.data[1]?.datagram);
});

test('a message of 4095 bytes in MQTT 5 form is forwarded; one of 4096 is not, and is logged', () => {
  for (const version of [4, 5] as const) {
    const logged: unknown[] = [];
    const log: Logger = { ...silentLogger, warn: (event, fields) => logged.push([event, fields]) };
    const probe = new Probe({ log });
    probe.meet(peer(2n, 2));
    // In MQTT 5 form 7 bytes come before the payload.
    probe.publish('t', Buffer.alloc(4095 - 7), version);
    probe.node.flush(0);
    assert.equal(probe.data.length, 4);
    assert.equal(probe.node.counters.tooLargeMessages, 0);
    probe.publish('t', Buffer.alloc(4096 - 7), version);
    probe.node.flush(0);
    assert.equal(probe.data.length, 4);
    assert.equal(probe.node.counters.tooLargeMessages, 1);
    const hint = 'only subscribers of this node get it; -large sends larger ones as well';
    assert.deepEqual(logged, [
      [
        'a message of 4096 bytes or more is not forwarded to other nodes',
        { topic: 't', client: 'client', bytes: 4096, total: 1, hint },
      ],
    ]);
  }
});

test('repeated large messages are logged every ten seconds at most', () => {
  const said: unknown[] = [];
  const log: Logger = { ...silentLogger, warn: (_, fields) => said.push(fields?.total) };
  const probe = new Probe({ log });
  probe.node.setPeers([peer(2n, 2)], 0);
  for (let second = 0; second <= 20; second++) {
    probe.publish('t', Buffer.alloc(5000));
    probe.node.flush(second * 1000);
  }
  assert.deepEqual(said, [1, 11, 21]);
});

test('$ topics and topics outside -topics are not forwarded, and are counted', () => {
  const probe = new Probe({ topics: ['a/#'] });
  probe.meet(peer(2n, 2));
  for (const topic of ['$SYS/x', 'b/1', 'a/1']) probe.publish(topic);
  probe.node.flush(0);
  assert.equal(probe.data.length, 1);
  assert.equal(probe.node.counters.filteredMessages, 2);
  assert.equal(probe.node.counters.forwardedMessages, 1);
});

test('without peers no message is sent or counted', () => {
  const probe = new Probe();
  probe.publish('t');
  probe.node.flush(0);
  assert.deepEqual(probe.data, []);
  assert.equal(probe.node.counters.forwardedMessages, 0);
});

test('a node that is listed among its own peers sends itself nothing', () => {
  const probe = new Probe();
  probe.node.setPeers([peer(1n, 1)], 0);
  probe.publish('t');
  probe.node.flush(0);
  assert.deepEqual(probe.sent, []);
});

test('a peer with a new address gets later messages there', () => {
  const probe = new Probe();
  probe.meet(peer(2n, 2));
  probe.meet(peer(2n, 22));
  probe.publish('t');
  probe.node.flush(0);
  assert.deepEqual(
    probe.data.map(({ to }) => to.port),
    [22],
  );
});

test('a buffer that the socket still reads is not reused', () => {
  const probe = new Probe();
  probe.meet(peer(2n, 2));
  const sendTwo = (): boolean => {
    for (let i = 0; i < 2; i++) {
      probe.publish('t');
      probe.node.flush(0);
    }
    const [first, second] = probe.data.slice(-2);
    return first?.memory === second?.memory;
  };
  assert.equal(sendTwo(), true);
  probe.hasLeft = false;
  assert.equal(sendTwo(), false);
});
