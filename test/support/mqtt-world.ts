// A broker core for one test, with a virtual clock and clients that send raw bytes. There are no
// sockets and no timers: time passes only in advance(), which stops at each deadline of the broker as
// the runtime does.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Broker, type BrokerParts } from '../../src/broker/broker.ts';
import type { Client } from '../../src/broker/client/client.ts';
import type { BrokerOptions } from '../../src/broker/options.ts';
import type { ConnectionInfo, ListenerRules, Outbox } from '../../src/broker/ports.ts';
import { silentLogger } from '../../src/shared/logger.ts';
import * as wire from './wire.ts';

/** A fraction as real clocks have it: adding 30 s and subtracting them again gives another number. */
const START_MS = 2768.001010228564;

const ORIGIN = { remotePort: 56_400, listenerAddress: '[::]:1883' };

function originIn({ listener, remoteAddress }: World): ConnectionInfo {
  return { ...ORIGIN, remoteAddress, ...(listener && { listener }) };
}

/** Runs a test for 3.1.1 and for 5.0; the name carries the clauses of both. */
export function eachVersion(name: string, body: (version: 4 | 5) => void): void {
  for (const version of [4, 5] as const) {
    test(`${name} (${version === 4 ? '3.1.1' : '5.0'})`, () => body(version));
  }
}

export class World {
  now = START_MS;
  readonly broker: Broker;
  /** Of the connections that open from now on. */
  listener: ListenerRules | undefined;
  remoteAddress = '127.0.0.1';
  #seed = 1;

  constructor(options: Partial<BrokerOptions> = {}, parts: Partial<BrokerParts> = {}) {
    this.broker = new Broker({
      // $SYS rounds would only slow down advance().
      options: { sysIntervalSeconds: 0, ...options },
      random: () => this.#random(),
      now: START_MS,
      log: silentLogger,
      ...parts,
    });
  }

  /** A connection that has sent nothing yet. */
  open(version: wire.Version = 5): TestClient {
    return new TestClient(this, version);
  }

  /** A connected client. Its CONNACK is in `connack`. */
  connect(clientId: string, fields: wire.ConnectFields = {}): TestClient {
    const client = this.open(fields.version ?? 5);
    client.connect({ clientId, ...fields });
    assert.equal(client.connack.reason, 0, 'the broker accepts the client');
    return client;
  }

  beginTurn(): void {
    this.broker.context.budget.beginTurn(this.now);
  }

  advance(ms: number): void {
    const end = this.now + ms;
    for (let deadline = this.broker.nextDeadline(); deadline <= end; ) {
      this.now = Math.max(this.now, deadline);
      this.#serve();
      deadline = this.broker.nextDeadline();
    }
    this.now = end;
    this.broker.advance(this.now);
  }

  /** The broker may need several calls for all due work; each call must make progress. */
  #serve(): void {
    for (let turns = 0; this.broker.nextDeadline() <= this.now; turns++) {
      assert.ok(turns < 10_000, 'each call of advance() makes progress');
      this.broker.advance(this.now);
    }
  }

  #random(): number {
    this.#seed = (this.#seed * 16807) % 2147483647;
    return this.#seed / 2147483647;
  }
}

export class TestClient {
  readonly version: wire.Version;
  /** Packets that arrived and that the test has not taken yet. */
  readonly inbox: wire.Packet[] = [];
  /** The broker has closed the connection. */
  closed = false;
  /** The broker reads nothing more from the connection. */
  isPaused = false;
  #connack: wire.Packet | undefined;
  readonly #world: World;
  readonly #connection: Client;
  readonly #outbox: Outbox & { congested: boolean };
  #stream: Buffer = Buffer.alloc(0);
  #nextId = 1;
  #isLost = false;
  /** Limits that the client announced; every packet from the broker is checked against them. */
  #packetBytesMax = Number.POSITIVE_INFINITY;
  #receiveMaximum = 65_535;
  #topicAliasMaximum = 0;
  /** Packet ids of QoS 1 and 2 messages of this connection that are not acknowledged completely. */
  readonly #unfinished = new Set<number>();

  constructor(world: World, version: wire.Version) {
    this.#world = world;
    this.version = version;
    this.#outbox = {
      congested: false,
      takesParts: true,
      // The view is decoded at once, and so copied: the broker must not change its bytes later either.
      write: (bytes: Buffer, start: number, end: number) => this.#read(bytes.subarray(start, end)),
      close: () => {
        assert.ok(!this.closed, 'the broker closes once');
        this.closed = true;
      },
      pauseReading: () => {
        this.isPaused = true;
      },
      resumeReading: () => {
        this.isPaused = false;
      },
    };
    this.#connection = world.broker.accept(this.#outbox, originIn(world), world.now);
  }

  get connack(): wire.Packet {
    assert.ok(this.#connack, 'the broker has sent no CONNACK');
    return this.#connack;
  }

  /** Sends bytes. After the broker has closed the connection they have no effect. */
  send(...bytes: Buffer[]): void {
    assert.ok(!this.#isLost, 'the test has not ended this connection');
    for (const chunk of bytes) {
      this.#noteAcknowledgement(chunk);
      if (this.closed) continue;
      // Each packet comes in a turn of its own, with a full budget.
      this.#world.beginTurn();
      this.#connection.receive(Buffer.from(chunk), this.#world.now);
    }
  }

  connect(fields: wire.ConnectFields): void {
    this.expectLimits(fields.properties ?? {});
    this.send(wire.connect({ version: this.version, ...fields }));
    if (this.inbox[0]?.type === 'connack') this.#connack = this.inbox.shift();
  }

  /** The limits of a CONNECT; every packet is checked against them. */
  expectLimits(properties: wire.Properties): void {
    const { maximumPacketSize, receiveMaximum, topicAliasMaximum } = properties;
    this.#packetBytesMax = Number(maximumPacketSize) || this.#packetBytesMax;
    this.#receiveMaximum = Number(receiveMaximum) || this.#receiveMaximum;
    this.#topicAliasMaximum = Number(topicAliasMaximum) || this.#topicAliasMaximum;
  }

  /** The client stops reading, or reads again. */
  congest(congested: boolean): void {
    this.#outbox.congested = congested;
    if (congested) return;
    this.#world.beginTurn();
    this.#connection.drained(this.#world.now);
  }

  /** So many bytes of a message that is not complete have arrived, as of a WebSocket. */
  beginMessage(bytes: number): void {
    this.#world.beginTurn();
    this.#connection.transportHolds(bytes, this.#world.now);
  }

  /** The network fails, without DISCONNECT. @param isAlone false: in the same turn as what was before */
  lose(isAlone = true): void {
    this.#isLost = true;
    if (this.closed) return;
    if (isAlone) this.#world.beginTurn();
    this.#connection.disconnected(this.#world.now);
  }

  /** Sends DISCONNECT, then ends the connection. */
  leave(reason?: number, properties?: wire.Properties): void {
    this.send(wire.disconnect(reason, properties));
    this.lose();
  }

  subscribe(
    filters: string | (string | wire.SubscriptionFields)[],
    properties?: wire.Properties,
  ): wire.Packet {
    const list = typeof filters === 'string' ? [filters] : filters;
    const id = this.newId();
    this.send(wire.subscribe(this.version, id, list, properties));
    const at = this.inbox.findIndex((packet) => packet.type === 'suback');
    assert.ok(at >= 0, 'SUBSCRIBE is answered');
    const [suback] = this.inbox.splice(at, 1) as [wire.Packet];
    assert.equal(suback.id, id);
    return suback;
  }

  unsubscribe(...filters: string[]): wire.Packet {
    const id = this.newId();
    this.send(wire.unsubscribe(this.version, id, filters));
    const unsuback = this.expect('unsuback');
    assert.equal(unsuback.id, id);
    return unsuback;
  }

  /**
   * Publishes and completes the exchange of its QoS.
   * @returns PUBACK or PUBREC; undefined for QoS 0
   */
  publish(
    topic: string,
    payload = '',
    fields: Partial<wire.PublishFields> = {},
  ): wire.Packet | undefined {
    const id = fields.id ?? this.newId();
    this.send(wire.publish(this.version, { topic, payload, id, ...fields }));
    if (!fields.qos) return undefined;
    const first = this.expect(fields.qos === 1 ? 'puback' : 'pubrec');
    assert.equal(first.id, id);
    if (fields.qos === 2 && first.reason < 0x80) {
      this.send(wire.ack('pubrel', id));
      assert.equal(this.expect('pubcomp').id, id);
    }
    return first;
  }

  newId(): number {
    return this.#nextId++;
  }

  /** Acknowledges a PUBLISH, for QoS 2 up to PUBCOMP. */
  acknowledge(message: wire.Packet): void {
    if (message.qos === 1) this.send(wire.ack('puback', message.id));
    if (message.qos === 2) {
      this.send(wire.ack('pubrec', message.id));
      const at = this.inbox.findIndex((p) => p.type === 'pubrel' && p.id === message.id);
      assert.ok(at >= 0, 'PUBREC is answered by PUBREL');
      this.inbox.splice(at, 1);
      this.send(wire.ack('pubcomp', message.id));
    }
  }

  /** Takes and acknowledges all waiting messages, including those that follow. */
  messages(): wire.Packet[] {
    const all: wire.Packet[] = [];
    for (;;) {
      const message = this.inbox.shift();
      if (!message) return all;
      assert.equal(message.type, 'publish', 'only PUBLISH packets are expected');
      all.push(message);
      this.acknowledge(message);
    }
  }

  payloads(): string[] {
    return this.messages().map((message) => message.payload);
  }

  /** Takes the next packet, which must have this type. */
  expect(type: string): wire.Packet {
    const next = this.inbox.shift();
    assert.equal(next?.type, type);
    return next as wire.Packet;
  }

  expectNothing(): void {
    assert.deepEqual(
      this.inbox.map((packet) => packet.type),
      [],
    );
    assert.equal(this.closed, false, 'the connection is open');
  }

  /**
   * The broker has ended this connection because of a fault: in MQTT 5 with a DISCONNECT, in earlier
   * versions without a packet.
   * @param reason Reason Code of the DISCONNECT; undefined accepts any
   */
  expectEnded(reason?: number): void {
    assert.equal(this.closed, true, 'the connection is closed');
    if (this.version === 5) {
      const last = this.expect('disconnect');
      if (reason !== undefined) assert.equal(hex(last.reason), hex(reason));
    }
    assert.equal(this.inbox.length, 0, 'nothing else is sent');
  }

  /** The broker has refused this connection. */
  expectRefused(reason?: number): void {
    assert.equal(this.closed, true, 'the connection is closed');
    if (reason !== undefined) {
      assert.equal(hex(this.connack.reason), hex(reason));
      assert.equal(this.connack.sessionPresent, false);
    }
    assert.equal(this.inbox.length, 0, 'nothing else is sent');
  }

  /** Notes that the client acknowledges a message. */
  #noteAcknowledgement(chunk: Buffer): void {
    if (chunk.length < 4) return;
    const isLast = chunk[0] === 0x40 || chunk[0] === 0x70;
    const isRefusal = chunk[0] === 0x50 && (chunk[4] ?? 0) >= 0x80;
    if (isLast || isRefusal) this.#unfinished.delete(chunk.readUInt16BE(2));
  }

  /** Checks the rules for every packet to a client [MQTT5-3.1.2-24, 3.1.2-26, 2.2.1-4, 3.3.4-9]. */
  #check({ type, bytes, id, qos, properties }: wire.Packet): void {
    assert.ok(bytes.length <= this.#packetBytesMax, `${type} is too large`);
    if (type !== 'publish') return;
    assert.ok(
      Number(properties.topicAlias ?? 0) <= this.#topicAliasMaximum,
      'the alias is allowed',
    );
    if (qos === 0) return;
    assert.ok(id > 0 && !this.#unfinished.has(id), 'the packet identifier is free');
    assert.ok(this.#unfinished.size < this.#receiveMaximum, 'the window has room');
    this.#unfinished.add(id);
  }

  #read(bytes: Buffer): void {
    assert.ok(!this.closed, 'nothing is written after close');
    const { packets, rest } = wire.decode(this.version, Buffer.concat([this.#stream, bytes]));
    this.#stream = rest;
    for (const packet of packets) this.#check(packet);
    this.inbox.push(...packets);
  }
}

const hex = (value: number): string => `0x${value.toString(16).padStart(2, '0')}`;
