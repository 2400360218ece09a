// What one node does with what it is given: the rules of what is forwarded, to whom, and with which
// bytes. (What two nodes do together is in test/simulation/sync-*.)

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Endpoint } from '../../../src/shared/endpoint.ts';
import { type Logger, silentLogger } from '../../../src/shared/logger.ts';
import type { Peer } from '../../../src/shared/peer.ts';
import { SyncNode, type SyncNodeOptions } from '../../../src/sync/sync-node.ts';
import { publishPacket, syncKeys, topicOf, viewOf } from '../../support/sync-fixtures.ts';

const keys = await syncKeys('token');
const KIND_AT = 24;
const KIND_DATA = 1;

interface Sent {
  readonly datagram: Buffer;
  /** The very memory that was given to the socket. */
  readonly memory: ArrayBufferLike;
  readonly to: Endpoint;
}

class Probe {
  readonly node: SyncNode;
  readonly sent: Sent[] = [];
  /** What the socket answers: true if the bytes have left. */
  hasLeft = true;

  constructor(options: Partial<SyncNodeOptions> = {}) {
    this.node = new SyncNode({
      bootId: 1n,
      keys,
      encrypt: false,
      topics: ['#'],
      datagramBytes: 1400,
      queueLength: 10,
      queuePolicy: 'discard-newest',
      log: silentLogger,
      outbox: {
        send: (datagram, to) => {
          this.sent.push({ datagram: Buffer.from(datagram), memory: datagram.buffer, to });
          return this.hasLeft;
        },
        isReady: () => true,
      },
      randomNonce: () => Buffer.alloc(8),
      deliver: () => assert.fail('nobody sends'),
      ...options,
    });
  }

  get data(): Sent[] {
    return this.sent.filter(({ datagram }) => datagram[KIND_AT] === KIND_DATA);
  }

  publish(topic: string, payload: Buffer | string = 'x', version: 4 | 5 = 5): void {
    const view = viewOf(publishPacket({ topic, payload }, version), version);
    this.node.forward(view, topicOf(view));
  }
}

function peer(bootId: bigint, port: number): Peer {
  return { name: `n${bootId}`, bootId, endpoint: { address: '10.0.0.1', port } };
}

test('the same bytes go to every peer, proof and all', () => {
  const probe = new Probe();
  probe.node.setPeers([peer(2n, 2), peer(3n, 3)], 0);
  probe.publish('t');
  probe.node.flush(0);
  assert.deepEqual(
    probe.data.map(({ to }) => to.port),
    [2, 3],
  );
  assert.deepEqual(probe.data[0]?.datagram, probe.data[1]?.datagram);
});

test('a message of 4095 bytes in MQTT 5 form crosses, one of 4096 does not and is told', () => {
  for (const version of [4, 5] as const) {
    const said: string[] = [];
    const log: Logger = { ...silentLogger, warn: (event) => said.push(event) };
    const probe = new Probe({ log });
    probe.node.setPeers([peer(2n, 2)], 0);
    // 7 bytes stand before the payload, in MQTT 5.
    probe.publish('t', Buffer.alloc(4095 - 7), version);
    probe.node.flush(0);
    assert.equal(probe.data.length, 4);
    assert.equal(probe.node.counters.tooLargeMessages, 0);
    probe.publish('t', Buffer.alloc(4096 - 7), version);
    probe.node.flush(0);
    assert.equal(probe.data.length, 4);
    assert.equal(probe.node.counters.tooLargeMessages, 1);
    assert.deepEqual(said, ['messages of 4096 bytes or more stay on this node']);
  }
});

test('repeated large messages are told at most every ten seconds', () => {
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

test('$ topics and those that -topics leaves out stay here and are counted', () => {
  const probe = new Probe({ topics: ['a/#'] });
  probe.node.setPeers([peer(2n, 2)], 0);
  for (const topic of ['$SYS/x', 'b/1', 'a/1']) probe.publish(topic);
  probe.node.flush(0);
  assert.equal(probe.data.length, 1);
  assert.equal(probe.node.counters.filteredMessages, 2);
  assert.equal(probe.node.counters.forwardedMessages, 1);
});

test('without peers nothing is sent or counted', () => {
  const probe = new Probe();
  probe.publish('t');
  probe.node.flush(0);
  assert.deepEqual(probe.data, []);
  assert.equal(probe.node.counters.forwardedMessages, 0);
});

test('a node that finds itself among the peers sends itself nothing', () => {
  const probe = new Probe();
  probe.node.setPeers([peer(1n, 1)], 0);
  probe.publish('t');
  probe.node.flush(0);
  assert.deepEqual(probe.sent, []);
});

test('a peer that moved gets what follows at its new address', () => {
  const probe = new Probe();
  probe.node.setPeers([peer(2n, 2)], 0);
  probe.node.setPeers([peer(2n, 22)], 0);
  probe.publish('t');
  probe.node.flush(0);
  assert.deepEqual(
    probe.data.map(({ to }) => to.port),
    [22],
  );
});

test('bytes that the socket still holds are not written again', () => {
  const probe = new Probe();
  probe.node.setPeers([peer(2n, 2)], 0);
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
