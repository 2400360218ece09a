// Deliveries over connections that break at any moment, in both directions: real client state on both
// sides of the broker, random losses, one seed for each run. Whatever happens, QoS 2 arrives exactly
// once, QoS 1 at least once, and both in order [MQTT5-4.3, 4.4, 4.6].

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Peer, World } from './harness.ts';
import * as wire from './wire.ts';

const SEEDS = 40;
const STEPS = 600;
const UNACKNOWLEDGED_MAX = 20;

class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed * 48271) % 2147483647;
  }

  below(limit: number): number {
    this.#state = (this.#state * 48271) % 2147483647;
    return this.#state % limit;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}

/** A client that keeps its session. What it sends and what it is sent may be lost with the connection. */
abstract class Device {
  readonly name: string;
  protected readonly version: wire.Version;
  readonly #world: World;
  readonly #receiveMaximum: number;
  #peer: Peer | undefined;
  /** Handed to the transport, not yet on the wire. */
  #outgoing: Buffer[] = [];

  constructor(world: World, name: string, version: wire.Version, receiveMaximum: number) {
    this.#world = world;
    this.name = name;
    this.version = version;
    this.#receiveMaximum = receiveMaximum;
  }

  get online(): boolean {
    return this.#peer !== undefined;
  }

  protected get peer(): Peer | undefined {
    return this.#peer;
  }

  connect(): boolean {
    const properties = { sessionExpiryInterval: 3600, receiveMaximum: this.#receiveMaximum };
    this.#peer = this.#world.connect(this.name, {
      version: this.version,
      clean: false,
      properties: this.version === 5 ? properties : {},
    });
    return this.#peer.connack.sessionPresent;
  }

  /** The connection breaks, and with it goes what was on its way in either direction. */
  lose(): void {
    this.#peer?.lose();
    this.#peer = undefined;
    this.#outgoing = [];
  }

  send(bytes: Buffer): void {
    if (this.#peer) this.#outgoing.push(bytes);
  }

  /** Brings some of what was sent to the broker and handles some of what came. True if there was any. */
  move(count: number): boolean {
    let moved = false;
    for (let i = 0; i < count; i += 1) {
      const bytes = this.#outgoing.shift();
      if (bytes) this.#peer?.send(bytes);
      const packet = this.#peer?.inbox.shift();
      if (packet) this.handle(packet);
      moved ||= bytes !== undefined || packet !== undefined;
    }
    return moved;
  }

  congest(congested: boolean): void {
    this.#peer?.congest(congested);
  }

  protected abstract handle(packet: wire.Packet): void;
}

interface Unacknowledged {
  payload: string;
  qos: number;
  released: boolean;
}

class Publisher extends Device {
  readonly sent: { payload: string; qos: number }[] = [];
  readonly #unacknowledged = new Map<number, Unacknowledged>();
  #lastId = 0;

  publish(qos: number): void {
    if (this.#unacknowledged.size >= UNACKNOWLEDGED_MAX) return;
    this.#lastId = (this.#lastId % 50) + 1;
    if (this.#unacknowledged.has(this.#lastId)) return;
    const payload = `${this.name}:${qos}:${this.sent.length}`;
    this.sent.push({ payload, qos });
    this.#unacknowledged.set(this.#lastId, { payload, qos, released: false });
    this.send(wire.publish(this.version, { topic: 't', payload, qos, id: this.#lastId }));
  }

  override connect(): boolean {
    const present = super.connect();
    for (const [id, { payload, qos, released }] of this.#unacknowledged) {
      const fields = { topic: 't', payload, qos, id, dup: true };
      this.send(released ? wire.ack('pubrel', id) : wire.publish(this.version, fields));
    }
    return present;
  }

  protected handle({ type, id, reason }: wire.Packet): void {
    assert.ok(reason < 0x80 || (type === 'pubcomp' && reason === 0x92), `${type} ${reason}`);
    const message = this.#unacknowledged.get(id);
    if (type === 'pubrec' && message) {
      message.released = true;
      this.send(wire.ack('pubrel', id));
    } else {
      this.#unacknowledged.delete(id);
    }
  }
}

class Subscriber extends Device {
  readonly received: string[] = [];
  /** QoS 2 messages that are taken and not yet released. */
  readonly #taken = new Set<number>();

  override connect(): boolean {
    const present = super.connect();
    if (!present) this.peer?.subscribe(['t']);
    return present;
  }

  protected handle({ type, id, qos, payload }: wire.Packet): void {
    if (type === 'pubrel') {
      this.#taken.delete(id);
      this.send(wire.ack('pubcomp', id));
      return;
    }
    assert.equal(type, 'publish');
    if (qos === 1 || !this.#taken.has(id)) this.received.push(payload);
    if (qos === 2) this.#taken.add(id);
    this.send(wire.ack(qos === 1 ? 'puback' : 'pubrec', id));
  }
}

function run(seed: number): void {
  const random = new Random(seed);
  const world = new World({ queueMessagesMax: 100_000, receiveMaximum: UNACKNOWLEDGED_MAX });
  const version = () => random.pick([4, 5] as const);
  const publishers = ['p1', 'p2'].map((name) => new Publisher(world, name, version(), 100));
  const subscribers = ['s1', 's2', 's3'].map(
    (name) => new Subscriber(world, name, version(), random.pick([1, 2, 5, 100])),
  );
  const devices = [...publishers, ...subscribers];
  for (const device of devices) device.connect();
  for (let step = 0; step < STEPS; step += 1) {
    const device = random.pick(devices);
    const action = random.below(20);
    if (!device.online) {
      if (action < 8) device.connect();
    } else if (action === 0) device.lose();
    else if (action === 1) device.congest(true);
    else if (action === 2) device.congest(false);
    else if (action < 8) random.pick(publishers).publish(1 + random.below(2));
    else device.move(1 + random.below(4));
    world.advance(random.below(100));
  }
  for (const device of devices) {
    if (!device.online) device.connect();
    device.congest(false);
  }
  while (devices.map((device) => device.move(10)).includes(true));
  for (const { received } of subscribers) check(publishers, received);
}

function check(publishers: readonly Publisher[], received: readonly string[]): void {
  for (const { name, sent } of publishers) {
    for (const qos of [1, 2]) {
      const expected = sent.filter((message) => message.qos === qos).map(({ payload }) => payload);
      const got = received.filter((payload) => payload.startsWith(`${name}:${qos}:`));
      if (qos === 2) assert.deepEqual(got, expected, 'QoS 2: each once, in order');
      else assert.deepEqual([...new Set(got)], expected, 'QoS 1: all, first in order');
    }
  }
}

test('over connections that break, QoS 2 arrives exactly once and QoS 1 at least once, in order', () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    try {
      run(seed);
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}`, { cause: error });
    }
  }
});
