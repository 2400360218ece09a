import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Broker } from '../../../src/broker/broker.ts';
import type { Outbox } from '../../../src/broker/ports.ts';
import { silentLogger } from '../../../src/shared/logger.ts';

class CountingOutbox implements Outbox {
  readonly congested = false;
  bytes = 0;
  isPaused = false;
  write(_buffer: Buffer, start: number, end: number): void {
    this.bytes += end - start;
  }
  close(): void {}
  pauseReading(): void {
    this.isPaused = true;
  }
  resumeReading(): void {
    this.isPaused = false;
  }
}

const CONNECT = Buffer.from([0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 0, 0, 0]);
const SUBSCRIBE_ALL = Buffer.from([0x82, 6, 0, 1, 0, 1, 0x23, 0]);
const PUBLISH = Buffer.from([0x30, 4, 0, 1, 0x61, 0x78]);
const PINGREQ = Buffer.from([0xc0, 0]);

function newBroker(): { broker: Broker; open: () => ReturnType<typeof openClient> } {
  const options = { sysIntervalSeconds: 0, connectionsMax: 1e6, sessionsMax: 1e6 };
  const broker = new Broker({ options, random: Math.random, now: 0, log: silentLogger });
  return { broker, open: () => openClient(broker) };
}

function openClient(broker: Broker) {
  const outbox = new CountingOutbox();
  const client = broker.accept(outbox, { remoteAddress: '' }, 0);
  client.receive(CONNECT, 0);
  outbox.bytes = 0;
  return { outbox, client };
}

test('a flood is handled in turns: nothing is lost, and other clients are served meanwhile', () => {
  const { broker, open } = newBroker();
  let turns = 0;
  broker.onDeferred = () => {
    turns += 1;
  };
  const subscriber = open();
  subscriber.client.receive(SUBSCRIBE_ALL, 0);
  subscriber.outbox.bytes = 0;
  const flooder = open();
  const other = open();
  const messages = 50_000;
  flooder.client.receive(Buffer.concat(Array(messages).fill(PUBLISH)), 0);

  assert.ok(subscriber.outbox.bytes < messages * PUBLISH.length);
  assert.equal(flooder.outbox.isPaused, true);
  other.client.receive(PINGREQ, 0);
  assert.equal(other.outbox.bytes, 2, 'the other client is answered in the midst of the flood');

  for (let turn = 0; turn < 100 && turns > 0; turn++) {
    turns -= 1;
    broker.runDeferred(0);
  }
  assert.equal(subscriber.outbox.bytes, messages * PUBLISH.length);
  assert.equal(flooder.outbox.isPaused, false);
});

test('packets that arrive while a flooding client waits for its turn are handled in order', () => {
  const { broker, open } = newBroker();
  const subscriber = open();
  subscriber.client.receive(SUBSCRIBE_ALL, 0);
  const flooder = open();
  flooder.client.receive(Buffer.concat(Array(20_000).fill(PUBLISH)), 0);
  flooder.client.receive(PINGREQ, 0);
  assert.equal(flooder.outbox.bytes, 0);
  for (let turn = 0; turn < 10; turn++) broker.runDeferred(0);
  assert.equal(flooder.outbox.bytes, 2);
});

test('clients that flood in the same turn share its budget, and one that sends little is served in it', () => {
  const { broker, open } = newBroker();
  const flooders = Array.from({ length: 50 }, open);
  const other = open();
  broker.runDeferred(0);
  const flood = Buffer.concat(Array(20_000).fill(PINGREQ));
  for (const { client } of flooders) client.receive(flood, 0);
  const answers = flooders.map(({ outbox }) => outbox.bytes / 2);
  assert.ok(answers[0]! < 20_000, 'the first takes the budget');
  for (const count of answers.slice(1)) assert.ok(count > 0 && count < 1000, `${count} answers`);
  other.client.receive(PINGREQ, 0);
  assert.equal(other.outbox.bytes, 2);
});

test('deferred work of many clients shares the next turn alike, and ends', () => {
  const { broker, open } = newBroker();
  const flooders = Array.from({ length: 10 }, open);
  broker.runDeferred(0);
  const flood = Buffer.concat(Array(20_000).fill(PINGREQ));
  for (const { client } of flooders) client.receive(flood, 0);
  const before = flooders.map(({ outbox }) => outbox.bytes);
  broker.runDeferred(0);
  const gained = flooders.map(({ outbox }, i) => outbox.bytes - before[i]!);
  assert.ok(Math.min(...gained) > 0.8 * Math.max(...gained), `${gained}`);
  for (let turn = 0; turn < 100; turn++) broker.runDeferred(0);
  for (const { outbox } of flooders) assert.equal(outbox.bytes, 40_000);
});

test('turns are short, with fewer pieces of the same size, while a client that sends little is served', () => {
  const { broker, open } = newBroker();
  const flooders = Array.from({ length: 10 }, open);
  const other = open();
  broker.runDeferred(0);
  const flood = Buffer.concat(Array(50_000).fill(PINGREQ));
  for (const { client } of flooders) client.receive(flood, 0);
  const answersOfTurn = (now: number): number[] => {
    const before = flooders.map(({ outbox }) => outbox.bytes);
    broker.runDeferred(now);
    return flooders.map(({ outbox }, i) => outbox.bytes - before[i]!).filter((gain) => gain > 0);
  };

  const whole = answersOfTurn(1);
  assert.equal(whole.length, 10, 'without another client each of them has its share in each turn');
  other.client.receive(PINGREQ, 2);
  const short = answersOfTurn(3);
  assert.ok(short.length >= 2 && short.length <= 4, `${short.length} of 10 in a short turn`);
  assert.ok(Math.abs(short[0]! - whole[0]!) < 0.1 * whole[0]!, `${short[0]} and ${whole[0]}`);
  assert.equal(answersOfTurn(900).length, short.length, 'no other has to send meanwhile');
  assert.equal(answersOfTurn(1_100).length, 10, 'the other client has been silent for a second');
  other.client.receive(PINGREQ, 1_200);
  broker.forwarder = { forward: () => 'forwarded', lastNumber: 0 };
  assert.equal(answersOfTurn(1_300).length, 10, 'the node is in a cluster');

  for (let turn = 0; turn < 500; turn++) broker.runDeferred(2_000);
  for (const { outbox } of flooders) assert.equal(outbox.bytes, 100_000);
});
