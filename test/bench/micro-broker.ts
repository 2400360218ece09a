// Micro-benchmark of the broker core without sockets: nanoseconds for each message through framer,
// decoder, router and encoder, and how cost and memory grow with subscriptions, retained messages,
// topics and connections. `tsx --expose-gc test/bench/micro-broker.ts [words]`

import { Broker } from '../../src/broker/broker.ts';
import type { Client } from '../../src/broker/client.ts';
import type { Outbox } from '../../src/broker/ports.ts';
import { silentLogger } from '../../src/shared/logger.ts';
import { connectPacket, packet, publishPacket } from './load/raw-client.ts';

const MEASURE_MS = 700;
const words = process.argv.slice(2);

/** Takes what is written and remembers where the last packet lies. */
class Sink implements Outbox {
  readonly congested = false;
  bytes = 0;
  /** Acknowledges QoS 1 to the client that owns this outbox. */
  onPublish: ((buffer: Buffer, start: number, end: number) => void) | undefined;

  write(buffer: Buffer, start: number, end: number): void {
    this.bytes += end - start;
    if (this.onPublish !== undefined && buffer[start]! >> 4 === 3) {
      this.onPublish(buffer, start, end);
    }
  }
  close(): void {}
  pauseReading(): void {}
  resumeReading(): void {}
}

let names = 0;

function newBroker(): Broker {
  const unlimited = Number.POSITIVE_INFINITY;
  const options = {
    sysIntervalSeconds: 0,
    connectionsMax: unlimited,
    sessionsMax: unlimited,
    subscriptionsPerClientMax: unlimited,
  };
  return new Broker({ options, random: Math.random, now: 0, log: silentLogger });
}

function newClient(broker: Broker): { client: Client; sink: Sink } {
  const sink = new Sink();
  const client = broker.accept(sink, { remoteAddress: '' }, 0);
  names += 1;
  client.receive(connectPacket(`c${names}`), 0);
  return { client, sink };
}

function subscribe(client: Client, filters: readonly string[], qos: number): void {
  const parts = filters.flatMap((filter) => {
    const bytes = Buffer.from(filter);
    return [Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes, Buffer.from([qos])];
  });
  client.receive(packet(0x82, Buffer.from([0, 1]), ...parts), 0);
}

/** Runs `work` for a while; it returns how many messages it handled. */
function measure(name: string, work: () => number): void {
  if (!words.every((word) => name.includes(word))) return;
  const warmUntil = performance.now() + MEASURE_MS / 2;
  while (performance.now() < warmUntil) work();
  const before = process.cpuUsage();
  const until = performance.now() + MEASURE_MS;
  let messages = 0;
  while (performance.now() < until) messages += work();
  const cpu = process.cpuUsage(before);
  const nanoseconds = ((cpu.user + cpu.system) * 1000) / messages;
  console.log(`${name.padEnd(52)} ${nanoseconds.toFixed(0).padStart(8)} ns of CPU a message`);
}

function batch(topics: readonly string[], count: number, qos: number): Buffer {
  const payload = Buffer.alloc(64, 0x61);
  return Buffer.concat(
    Array.from({ length: count }, (_, i) => {
      const bytes = publishPacket(topics[i % topics.length]!, qos, payload);
      if (qos > 0) bytes.writeUInt16BE(i + 1, bytes.length - payload.length - 2);
      return bytes;
    }),
  );
}

const BATCH = 500;

function throughput(name: string, subscribers: number, qos: number, topics: number): void {
  const broker = newBroker();
  const publisher = newClient(broker).client;
  for (let i = 0; i < subscribers; i++) {
    const { client, sink } = newClient(broker);
    subscribe(client, ['bench/#'], qos);
    if (qos === 0) continue;
    const acks: number[] = [];
    sink.onPublish = (buffer, start) => {
      const id = start + 4 + buffer.readUInt16BE(start + 2);
      acks.push(buffer.readUInt16BE(id));
      if (acks.length < 20) return;
      const ids = acks.splice(0);
      setPending(() =>
        client.receive(
          Buffer.concat(ids.map((id) => Buffer.from([0x40, 2, id >> 8, id & 255]))),
          0,
        ),
      );
    };
  }
  const chunk = batch(
    Array.from({ length: topics }, (_, i) => `bench/${i}/x`),
    qos === 0 ? BATCH : 20,
    qos,
  );
  const perChunk = qos === 0 ? BATCH : 20;
  measure(name, () => {
    publisher.receive(chunk, 0);
    runPending();
    return perChunk;
  });
}

let pending: (() => void)[] = [];
function setPending(work: () => void): void {
  pending.push(work);
}
function runPending(): void {
  const due = pending;
  pending = [];
  for (const work of due) work();
}

throughput('qos0 to 1 subscriber, one topic', 1, 0, 1);
throughput('qos0 to 1 subscriber, 100 topics in turn', 1, 0, 100);
throughput('qos0 to nobody', 0, 0, 1);
throughput('qos0 to 100 subscribers', 100, 0, 1);
throughput('qos1 to 1 subscriber', 1, 1, 1);

for (const count of [1, 1_000, 100_000, 1_000_000]) growSubscriptions(count);
for (const count of [1, 1_000, 100_000, 1_000_000]) growTopics(count);
for (const count of [1_000, 100_000, 1_000_000]) growRetained(count);
for (const count of [1_000, 20_000, 100_000]) growSessions(count);

/** 1,000 clients share the subscriptions; a publisher hits one of them each time. */
function growSubscriptions(count: number): void {
  const name = `${count} subscriptions, topics in turn`;
  if (!words.every((word) => name.includes(word))) return;
  const before = heapBytes();
  const broker = newBroker();
  const clients = Array.from({ length: Math.min(count, 1000) }, () => newClient(broker).client);
  for (let i = 0; i < count; i += 100) {
    const filters = Array.from(
      { length: Math.min(100, count - i) },
      (_, k) => `plant/${(i + k) % 1000}/device/${i + k}/+`,
    );
    subscribe(clients[(i / 100) % clients.length]!, filters, 0);
  }
  console.log(`${name}: ${((heapBytes() - before) / count).toFixed(0)} bytes each`);
  const publisher = newClient(broker).client;
  const topics = Array.from({ length: BATCH }, (_, i) => {
    const at = Math.floor((i * count) / BATCH) % count;
    return `plant/${at % 1000}/device/${at}/temperature`;
  });
  const chunk = batch(topics, BATCH, 0);
  measure(name, () => {
    publisher.receive(chunk, 0);
    return BATCH;
  });
}

/** Every message on another topic, one wildcard subscriber. */
function growTopics(count: number): void {
  const broker = newBroker();
  const { client } = newClient(broker);
  subscribe(client, ['plant/#'], 0);
  const publisher = newClient(broker).client;
  let next = 0;
  measure(`${count} topics in turn`, () => {
    const topics = Array.from(
      { length: BATCH },
      () => `plant/device/${next++ % count}/temperature`,
    );
    publisher.receive(batch(topics, BATCH, 0), 0);
    return BATCH;
  });
}

function growRetained(count: number): void {
  const name = `${count} retained messages`;
  if (!words.every((word) => name.includes(word))) return;
  const before = heapBytes();
  const broker = newBroker();
  const publisher = newClient(broker).client;
  const payload = Buffer.alloc(64, 0x61);
  const started = process.cpuUsage();
  for (let i = 0; i < count; i++) {
    const bytes = publishPacket(`plant/${i % 1000}/device/${i}/state`, 0, payload);
    bytes[0] = 0x31;
    publisher.receive(bytes, 0);
  }
  const cpu = process.cpuUsage(started);
  const each = ((cpu.user + cpu.system) * 1000) / count;
  console.log(
    `${name}: ${((heapBytes() - before) / count).toFixed(0)} bytes each, ${each.toFixed(0)} ns to set`,
  );
  const { client, sink } = newClient(broker);
  measure(`${name}: one exact subscription`, () => {
    subscribe(client, ['plant/7/device/7/state'], 0);
    return 1;
  });
  if (sink.bytes === 0) throw new Error('no retained message came');
}

function growSessions(count: number): void {
  const name = `${count} connections`;
  if (!words.every((word) => name.includes(word))) return;
  const before = heapBytes();
  const broker = newBroker();
  const clients = Array.from({ length: count }, () => newClient(broker));
  const started = process.cpuUsage();
  for (const { client } of clients) subscribe(client, [`device/${names++}`], 0);
  const cpu = process.cpuUsage(started);
  const each = (cpu.user + cpu.system) / count;
  console.log(
    `${name}: ${((heapBytes() - before) / count).toFixed(0)} bytes each, ${each.toFixed(1)} us to subscribe`,
  );
  broker.shutdown(0);
}

function heapBytes(): number {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
