// A large payload leaves as a part of its own, which all subscribers share: each gets the right bytes, within
// its Maximum Packet Size, and memory grows with the number of messages and not of subscribers.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Broker } from '../../../../src/broker/broker.ts';
import type { Outbox } from '../../../../src/broker/ports.ts';
import { silentLogger } from '../../../../src/shared/logger.ts';
import { World } from '../../../support/mqtt-world.ts';
import * as wire from '../../../support/wire.ts';

const LARGE = 100_000;

test('subscribers get payloads of every size as they were published, with their own identifiers', () => {
  const world = new World();
  const subscribers = [world.connect('old', { version: 4 }), world.connect('new', { version: 5 })];
  for (const subscriber of subscribers) subscriber.subscribe([{ filter: 't', qos: 1 }]);
  const publisher = world.connect('p', { version: 5 });
  for (const size of [0, 1, 4095, 4096, 16_384, LARGE]) {
    const payload = Buffer.from(Array.from({ length: size }, (_, i) => i % 251));
    const fields = { topic: 't', payload, qos: 1, id: publisher.newId() };
    publisher.send(wire.publish(5, fields));
    publisher.expect('puback');
    for (const subscriber of subscribers) {
      const [message] = subscriber.messages();
      assert.ok(message?.bytes.subarray(message.bytes.length - size).equals(payload), `${size}`);
    }
  }
});

test('a large message that exceeds the Maximum Packet Size of a client is not sent to it', () => {
  const world = new World();
  const small = world.connect('small', { version: 5, properties: { maximumPacketSize: LARGE } });
  small.subscribe([{ filter: 't', qos: 1 }]);
  const publisher = world.connect('p', { version: 5 });
  publisher.publish('t', 'x'.repeat(LARGE), { qos: 1 });
  publisher.publish('t', 'fits', { qos: 1 });
  assert.deepEqual(small.payloads(), ['fits']);
});

/** Keeps the memory of what it gets, as a socket does whose client takes nothing. */
class HoldingOutbox implements Outbox {
  readonly takesParts = true;
  readonly congested = false;
  readonly held: Set<ArrayBufferLike>;

  constructor(held: Set<ArrayBufferLike>) {
    this.held = held;
  }

  write(buffer: Buffer): void {
    this.held.add(buffer.buffer);
  }

  close(): void {}

  pauseReading(): void {}

  resumeReading(): void {}
}

test('a large message to many subscribers takes memory once', () => {
  const options = { sysIntervalSeconds: 0 };
  const broker = new Broker({ options, random: Math.random, now: 0, log: silentLogger });
  const held = new Set<ArrayBufferLike>();
  const open = (clientId: string) => {
    const client = broker.accept(new HoldingOutbox(held), { remoteAddress: '' }, 0);
    client.receive(wire.connect({ clientId, version: 4 }), 0);
    return client;
  };
  for (let i = 0; i < 50; i++)
    open(`s${i}`).receive(wire.subscribe(4, 1, [{ filter: 't', qos: 1 }]), 0);
  const publisher = open('p');
  publisher.receive(
    wire.publish(4, { topic: 't', payload: Buffer.alloc(LARGE), qos: 1, id: 1 }),
    0,
  );
  const bytes = [...held].reduce((sum, buffer) => sum + buffer.byteLength, 0);
  assert.ok(bytes < 5 * LARGE, `${bytes} bytes for 50 subscribers`);
});
