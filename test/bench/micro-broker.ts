// Micro-benchmark of the broker core without sockets: processor time for each message through framer,
// decoder, router and encoder, and how cost and memory grow with subscriptions, retained messages,
// topics, connections and sessions. `node --expose-gc --import tsx test/bench/micro-broker.ts [words]`;
// `npm run bench -- core` prints it as a table.

import { Broker } from '../../src/broker/broker.ts';
import type { Client } from '../../src/broker/client/client.ts';
import type { Outbox } from '../../src/broker/ports.ts';
import { silentLogger } from '../../src/shared/logger.ts';
import {
  connectPacket,
  DISCONNECT,
  packet,
  publishPacket,
  subscribePacket,
} from './load/packets.ts';
import type { Row } from './table.ts';

const MEASURE_MS = 700;
const words = process.argv.slice(2);

/** Counts the bytes written to it; acknowledges QoS 1 on request. */
class Sink implements Outbox {
  readonly congested = false;
  bytes = 0;
  onPublish: ((buffer: Buffer, start: number) => void) | undefined;

  write(buffer: Buffer, start: number, end: number): void {
    this.bytes += end - start;
    if (this.onPublish !== undefined && buffer[start]! >> 4 === 3) this.onPublish(buffer, start);
  }
  close(): void {}
  pauseReading(): void {}
  resumeReading(): void {}
}

let names = 0;
/** Brokers with work for a later turn. */
const deferring = new Set<Broker>();

function newBroker(): Broker {
  const unlimited = Number.POSITIVE_INFINITY;
  const options = {
    sysIntervalSeconds: 0,
    connectionsMax: unlimited,
    sessionsMax: unlimited,
    subscriptionsPerClientMax: unlimited,
    retainedMessagesMax: unlimited,
    retainedBytesMax: unlimited,
  };
  const broker = new Broker({ options, random: Math.random, now: 0, log: silentLogger });
  broker.onDeferred = () => {
    deferring.add(broker);
  };
  return broker;
}

/** The bytes of a turn of the event loop, and the turns that they need after it. */
function receive(client: Client, bytes: Buffer): void {
  client.receive(bytes, 0);
  while (deferring.size > 0) {
    for (const broker of deferring) {
      deferring.delete(broker);
      broker.runDeferred(0);
    }
  }
}

function newClient(broker: Broker, keepSession = false): { client: Client; sink: Sink } {
  const sink = new Sink();
  const client = broker.accept(sink, { remoteAddress: '' }, 0);
  names += 1;
  receive(client, connectPacket(`c${names}`, keepSession));
  return { client, sink };
}

function subscribe(client: Client, filters: readonly string[], qos: number): void {
  receive(client, subscribePacket(filters, qos));
}

/** Measures one row and reports it to the parent process, or to the terminal without one. */
function row(name: string, work: () => Row): void {
  if (!words.every((word) => name.includes(word))) return;
  globalThis.gc?.();
  const figures = work();
  if (process.send !== undefined) process.send({ name, figures });
  else {
    const cells = Object.entries(figures).map(
      ([key, value]) => `${key} ${Number(value).toFixed(1)}`,
    );
    console.log(`${name.padEnd(48)} ${cells.join('   ')}`);
  }
}

/** @returns nanoseconds of processor time for each operation; `work` returns their number */
function nanoseconds(work: () => number): number {
  const warmUntil = performance.now() + MEASURE_MS / 2;
  while (performance.now() < warmUntil) work();
  const before = process.cpuUsage();
  const until = performance.now() + MEASURE_MS;
  let done = 0;
  while (performance.now() < until) done += work();
  return cpuNanoseconds(before) / done;
}

function cpuNanoseconds(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) * 1000;
}

function heapBytes(): number {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
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
const QOS1_BATCH = 20;

/** One publisher; every subscriber receives all its messages. */
function passing(subscribers: number, qos: number, topics: number): Row {
  const broker = newBroker();
  const publisher = newClient(broker).client;
  let pending: (() => void)[] = [];
  for (let i = 0; i < subscribers; i++) {
    const { client, sink } = newClient(broker);
    subscribe(client, ['bench/#'], qos);
    if (qos > 0) acknowledge(client, sink, (work) => pending.push(work));
  }
  const perChunk = qos === 0 ? BATCH : QOS1_BATCH;
  const names = Array.from({ length: topics }, (_, i) => `bench/${i}/x`);
  const chunk = batch(names, perChunk, qos);
  return {
    ns: nanoseconds(() => {
      receive(publisher, chunk);
      const due = pending;
      pending = [];
      for (const work of due) work();
      return perChunk;
    }),
  };
}

/** One packet of 1 MB that arrives in pieces; nanoseconds for each packet. */
function inSegments(segmentBytes: number): Row {
  const broker = newBroker();
  const publisher = newClient(broker).client;
  const bytes = publishPacket('bench/large', 0, Buffer.alloc(1_000_000));
  const segments: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += segmentBytes) {
    segments.push(bytes.subarray(at, at + segmentBytes));
  }
  return {
    ns: nanoseconds(() => {
      for (const segment of segments) receive(publisher, segment);
      return 1;
    }),
  };
}

function acknowledge(client: Client, sink: Sink, later: (work: () => void) => void): void {
  const waiting: number[] = [];
  sink.onPublish = (buffer, start) => {
    waiting.push(buffer.readUInt16BE(start + 4 + buffer.readUInt16BE(start + 2)));
    if (waiting.length < QOS1_BATCH) return;
    const ids = waiting.splice(0);
    const acks = ids.map((id) => Buffer.from([0x40, 2, id >> 8, id & 255]));
    later(() => receive(client, Buffer.concat(acks)));
  };
}

/** Divides the subscriptions among 1,000 clients; each message matches a different one. */
function growSubscriptions(count: number): Row {
  const before = heapBytes();
  const broker = newBroker();
  const clients = Array.from({ length: Math.min(count, 1000) }, () => newClient(broker).client);
  const started = process.cpuUsage();
  for (let i = 0; i < count; i += 100) {
    const filters = Array.from(
      { length: Math.min(100, count - i) },
      (_, k) => `plant/${(i + k) % 1000}/device/${i + k}/+`,
    );
    subscribe(clients[(i / 100) % clients.length]!, filters, 0);
  }
  const eachNs = cpuNanoseconds(started) / count;
  const bytes = (heapBytes() - before) / count;
  const publisher = newClient(broker).client;
  const topics = Array.from({ length: BATCH }, (_, i) => {
    const at = Math.floor((i * count) / BATCH) % count;
    return `plant/${at % 1000}/device/${at}/temperature`;
  });
  const chunk = batch(topics, BATCH, 0);
  const ns = nanoseconds(() => {
    receive(publisher, chunk);
    return BATCH;
  });
  return { ns, eachNs, bytes };
}

/** Publishes every message to a new topic, with one wildcard subscriber. */
function growTopics(count: number): Row {
  const broker = newBroker();
  const { client } = newClient(broker);
  subscribe(client, ['plant/#'], 0);
  const publisher = newClient(broker).client;
  const payload = Buffer.alloc(64, 0x61);
  // Encoded before the measurement, in chunks, so that only the broker is measured.
  const chunks: Buffer[] = [];
  for (let i = 0; i < count; i += BATCH) {
    const packets = Array.from({ length: BATCH }, (_, k) =>
      publishPacket(`plant/device/${(i + k) % count}/temperature`, 0, payload),
    );
    chunks.push(Buffer.concat(packets));
  }
  const made = heapBytes();
  for (const chunk of chunks) receive(publisher, chunk);
  const bytes = (heapBytes() - made) / count;
  let next = 0;
  const ns = nanoseconds(() => {
    receive(publisher, chunks[next++ % chunks.length]!);
    return BATCH;
  });
  return { ns, bytes };
}

function growRetained(count: number): Row {
  const before = heapBytes();
  const broker = newBroker();
  const publisher = newClient(broker).client;
  const payload = Buffer.alloc(64, 0x61);
  const topicOf = (i: number): string => `plant/${i % 1000}/device/${i}/state`;
  const started = process.cpuUsage();
  for (let i = 0; i < count; i++) {
    const bytes = publishPacket(topicOf(i), 0, payload);
    bytes[0] = 0x31;
    receive(publisher, bytes);
  }
  const eachNs = cpuNanoseconds(started) / count;
  const bytes = (heapBytes() - before) / count;
  const { client, sink } = newClient(broker);
  let sent = sink.bytes;
  let next = 0;
  const ns = nanoseconds(() => {
    next = (next + 7919) % count;
    subscribe(client, [topicOf(next)], 0);
    receive(client, packet(0xa2, Buffer.from([0, 1]), lengthFirst(topicOf(next))));
    if (sink.bytes - sent < payload.length) throw new Error('a retained message did not arrive');
    sent = sink.bytes;
    return 1;
  });
  return { ns, eachNs, bytes };
}

function lengthFirst(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
}

/** Clients with one subscription each, online or offline; each message goes to one of them. */
function growClients(count: number, areAway: boolean): Row {
  const before = heapBytes();
  const broker = newBroker();
  const started = process.cpuUsage();
  for (let i = 0; i < count; i++) {
    const { client } = newClient(broker, areAway);
    subscribe(client, [`device/${i}`], 0);
    if (!areAway) continue;
    receive(client, DISCONNECT);
    client.disconnected(0);
  }
  const eachNs = cpuNanoseconds(started) / count;
  const bytes = (heapBytes() - before) / count;
  const publisher = newClient(broker).client;
  const topics = Array.from(
    { length: BATCH },
    (_, i) => `device/${Math.floor((i * count) / BATCH)}`,
  );
  const chunk = batch(topics, BATCH, 0);
  const ns = nanoseconds(() => {
    receive(publisher, chunk);
    return BATCH;
  });
  broker.shutdown(0);
  return { ns, eachNs, bytes };
}

row('qos0 to no subscriber', () => passing(0, 0, 1));
row('qos0 to 1 subscriber, one topic', () => passing(1, 0, 1));
row('qos0 to 1 subscriber, 100 topics in turn', () => passing(1, 0, 100));
row('qos0 to 100 subscribers', () => passing(100, 0, 1));
row('qos1 to 1 subscriber', () => passing(1, 1, 1));
for (const bytes of [1_400, 65_536, 2_000_000]) {
  row(`1 MB in segments of ${bytes} bytes`, () => inSegments(bytes));
}
const steps = [1, 1_000, 10_000, 100_000, 1_000_000];
for (const count of steps) row(`subscriptions: ${count}`, () => growSubscriptions(count));
for (const count of steps) row(`retained messages: ${count}`, () => growRetained(count));
for (const count of steps) row(`topics in turn: ${count}`, () => growTopics(count));
const clients = [1, 1_000, 20_000, 100_000];
for (const count of clients) row(`connections: ${count}`, () => growClients(count, false));
for (const count of clients) row(`sessions: ${count}`, () => growClients(count, true));
