// Sessions that follow their client between brokers, on a virtual clock and a network that delays and breaks:
// nothing is lost while all nodes live, and a transfer that breaks off leaves the session where it was.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RoamingSessions } from '../../src/node/replication/roaming-sessions.ts';
import {
  decodeAnswer,
  decodeSession,
  SessionEncoder,
  SessionKind,
} from '../../src/node/replication/session-codec.ts';
import { EventHeap } from '../support/event-heap.ts';
import { type TestClient, World } from '../support/mqtt-world.ts';
import { type Random, seededRandom } from '../support/random.ts';
import { payloadOf, publishPacket, viewOf } from '../support/sync-fixtures.ts';
import type { Packet } from '../support/wire.ts';

const TICK_MS = 100;
const resumed = { clean: false, properties: { sessionExpiryInterval: 3600 } } as const;

class Node {
  readonly peer;
  readonly world = new World();
  readonly roaming: RoamingSessions;

  constructor(cluster: Cluster, bootId: bigint) {
    this.peer = { name: `n${bootId}`, bootId, endpoint: { address: '10.0.0.1', port: 7947 } };
    const { broker } = this.world;
    this.roaming = new RoamingSessions({
      bootId,
      broker,
      now: () => cluster.now,
      later: (ms, work) => cluster.at(ms, work),
      channel: { send: (to, kind, body) => cluster.send(this, to, kind, body) },
      places: {
        writerOf: (clientId) => cluster.places.get(clientId),
        claim: (clientId) => cluster.places.set(clientId, bootId),
      },
    });
    broker.sessionRoaming = this.roaming;
    broker.clientDirectory = {
      connected: (clientId) => cluster.places.set(clientId, bootId),
      disconnected: () => undefined,
    };
    broker.forwarder = {
      lastNumber: 0,
      forward: (view, topic) => {
        const fields = { topic: topic.toString(), payload: Buffer.from(payloadOf(view)) };
        cluster.spread(this, publishPacket({ ...fields, retain: false, qos: 1 }));
        return 'forwarded';
      },
    };
    broker.onDeferred = () => cluster.at(0, () => broker.runDeferred(cluster.now));
  }
}

class Cluster {
  now = 10_000;
  readonly random: Random;
  readonly nodes: Node[];
  readonly places = new Map<string, bigint>();
  /** Frames about sessions that are lost, with their connection. */
  isLost: (kind: number, body: Buffer) => boolean = () => false;
  /** No frame is accepted any more: the connections are closed. */
  isClosed = false;
  readonly #events = new EventHeap();
  /** When the last frame of a connection arrives: none overtakes another. */
  readonly #arrivals = new Map<string, number>();

  constructor(seed: number, size = 3) {
    this.random = seededRandom(seed);
    this.nodes = Array.from({ length: size }, (_, n) => new Node(this, BigInt(n + 1)));
    for (const { roaming } of this.nodes) roaming.setPeers(this.nodes.map(({ peer }) => peer));
    this.#tick();
  }

  at(ms: number, work: () => void): void {
    this.#events.push(this.now + ms, () => {
      for (const { world } of this.nodes) world.now = this.now;
      work();
    });
  }

  send(from: Node, to: bigint, kind: number, body: Buffer): boolean {
    if (this.isClosed) return false;
    if (this.isLost(kind, body)) return true;
    const node = this.nodes.find(({ peer }) => peer.bootId === to);
    const bytes = Buffer.from(body);
    this.#deliver(`bulk ${from.peer.bootId} ${to}`, () =>
      node?.roaming.receive(from.peer, kind, bytes),
    );
    return true;
  }

  spread(from: Node, packet: Buffer): void {
    for (const node of this.nodes) {
      if (node === from) continue;
      this.#deliver(`sync ${from.peer.bootId} ${node.peer.bootId}`, () => {
        const { broker } = node.world;
        broker.publishFromPeer(viewOf(Buffer.from(packet)), this.now, { seed: 0 }, 1);
      });
    }
  }

  pass(ms: number): void {
    this.#events.runUntil(this.now + ms, this);
    for (const { world } of this.nodes) world.now = this.now;
  }

  /** Connects, and waits until CONNACK is there. */
  connect(node: Node): TestClient {
    const client = node.world.open();
    client.connect({ clientId: 'device', ...resumed });
    this.pass(3500);
    return client;
  }

  #deliver(link: string, work: () => void): void {
    const arrival = Math.max(this.now + 0.2 + this.random() * 3, this.#arrivals.get(link) ?? 0);
    this.#arrivals.set(link, arrival);
    this.at(arrival - this.now, work);
  }

  #tick(): void {
    this.at(TICK_MS, () => this.#tick());
    for (const { world } of this.nodes) world.broker.advance(this.now);
  }
}

function subscribed(cluster: Cluster, node: Node): TestClient {
  const client = cluster.connect(node);
  assert.equal(isPresent(client), false);
  client.subscribe([{ filter: 'to/device', qos: 1 }]);
  return client;
}

/** Session Present of a CONNACK that may have waited for the session. */
function isPresent(client: TestClient): boolean {
  const hasWaited = client.inbox[0]?.type === 'connack';
  return (hasWaited ? client.expect('connack') : client.connack).sessionPresent;
}

function payloads(client: TestClient): number[] {
  return client.payloads().map(Number);
}

for (let seed = 1; seed <= 20; seed++) {
  test(`a client that moves while messages come misses none of them (seed ${seed})`, () => {
    const cluster = new Cluster(seed);
    const { nodes, random } = cluster;
    let client = subscribed(cluster, nodes[0]!);
    const publisher = nodes[2]!.world.connect('publisher');
    const received = new Set<number>();
    let twice = 0;
    const take = (messages: readonly Packet[]): void => {
      for (const { payload, dup } of messages) {
        if (!dup && received.has(Number(payload))) twice += 1;
        received.add(Number(payload));
      }
    };
    let sent = 0;
    for (let move = 1; move <= 30; move++) {
      if (random() < 0.5) client.lose();
      const next = nodes[Math.floor(random() * 3)]!.world.open();
      next.connect({ clientId: 'device', ...resumed });
      for (let turn = 0; turn < 20; turn++) {
        publisher.publish('to/device', String(sent++), { qos: 1 });
        cluster.pass(random() * 2);
      }
      // The old connection acknowledges none of them.
      take(client.inbox.filter(({ type }) => type === 'publish'));
      client = next;
      cluster.pass(500);
      assert.equal(isPresent(client), true);
      take(client.messages());
    }
    cluster.pass(1000);
    take(client.messages());
    const missing = Array.from({ length: sent }, (_, n) => n).filter((n) => !received.has(n));
    assert.deepEqual(missing, []);
    const sessions = nodes.filter(({ world }) => world.broker.moving.has('device'));
    assert.equal(sessions.length, 1, 'one node has the session');
    // One that passes the session on its way may come twice.
    assert.ok(twice <= 15, `${twice} of ${sent} came twice without DUP`);
  });
}

for (const [what, kind] of [
  ['its request', SessionKind.fetch],
  ['the session', SessionKind.part],
  ['its confirmation', SessionKind.taken],
] as const) {
  test(`if ${what} is lost, the old node has the whole session, or the new one does`, () => {
    const cluster = new Cluster(1);
    const [a, b, c] = cluster.nodes;
    assert.ok(a && b && c);
    subscribed(cluster, a).leave();
    const publisher = c.world.connect('publisher');
    for (let n = 0; n < 10; n++) publisher.publish('to/device', String(n), { qos: 1 });
    cluster.pass(100);
    cluster.isLost = (one) => one === kind;
    const before = cluster.now;
    const client = b.world.open();
    client.connect({ clientId: 'device', ...resumed });
    cluster.pass(3500);
    assert.ok(cluster.now - before < 4000);
    const isMoved = kind === SessionKind.taken;
    assert.equal(isPresent(client), isMoved);
    assert.equal(payloads(client).length, isMoved ? 10 : 0);
    assert.ok(a.world.broker.moving.has('device'), 'the old node has not deleted it');
    assert.equal(b.roaming.counters.failed, 1);
    if (isMoved) return;
    // A node that was not reached gives the session to the client that comes back to it.
    client.leave();
    cluster.isLost = () => false;
    cluster.places.set('device', 1n);
    const again = a.world.connect('device', resumed);
    assert.equal(isPresent(again), true);
    assert.equal(payloads(again).length, 10);
  });
}

test('a client without a session anywhere waits for answers only', () => {
  const cluster = new Cluster(1);
  const client = cluster.nodes[0]!.world.open();
  client.connect({ clientId: 'new', ...resumed });
  cluster.pass(20);
  assert.equal(isPresent(client), false);
});

test('a client is accepted once when all nodes that it waits for go offline together', () => {
  const cluster = new Cluster(1);
  const [a, b] = cluster.nodes;
  assert.ok(a && b);
  cluster.connect(a).lose();
  cluster.places.delete('device');
  // The node without the session does not answer, so that the fetch from the other one has not begun.
  cluster.isLost = (kind, body) =>
    kind === SessionKind.answer && decodeAnswer(body)?.offer === undefined;
  const client = b.world.open();
  client.connect({ clientId: 'device', ...resumed });
  cluster.pass(50);
  cluster.isClosed = true;
  b.roaming.setPeers([b.peer]);
  assert.equal(isPresent(client), false);
  assert.equal(client.closed, false);
  assert.equal(b.roaming.counters.failed, 1);
});

test('QoS 2 continues on the other node: what was released is not delivered again', () => {
  const cluster = new Cluster(1);
  const [a, b] = cluster.nodes;
  assert.ok(a && b);
  const first = cluster.connect(a);
  assert.equal(isPresent(first), false);
  first.subscribe([{ filter: 'q2', qos: 2 }]);
  const publisher = a.world.connect('publisher');
  publisher.publish('q2', 'sent', { qos: 2 });
  assert.equal(first.inbox.length, 1);
  const packetId = first.inbox[0]!.id;
  first.lose();
  const second = b.world.open();
  second.connect({ clientId: 'device', ...resumed });
  cluster.pass(100);
  assert.equal(isPresent(second), true);
  const [repeated] = second.messages();
  assert.equal(repeated?.id, packetId);
  assert.equal(repeated?.dup, true);
});

test('a malformed session of a peer is refused', () => {
  const encoder = new SessionEncoder(0);
  const record = { clientId: 'c', username: undefined, expirySeconds: 60, expiresAt: Infinity };
  encoder.saveSession(record);
  const good = Buffer.from(encoder.bytes);
  assert.equal(decodeSession(good, 'c', 5)?.expirySeconds, 60);
  assert.equal(decodeSession(good, 'other', 5), undefined);
  const rules = {
    qos: 1,
    noLocal: false,
    retainAsPublished: false,
    subscriptionIdentifier: 0,
  } as const;
  encoder.saveSubscription('c', { filter: 'a/#/b', ...rules });
  assert.equal(decodeSession(encoder.bytes, 'c', 5), undefined);
  const random = seededRandom(7);
  for (let round = 0; round < 3000; round++) {
    const bytes = Buffer.from(good);
    bytes[Math.floor(random() * bytes.length)] = random() * 256;
    decodeSession(bytes.subarray(0, random() * (bytes.length + 1)), 'c', 5);
  }
});
