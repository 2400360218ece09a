// The load generator: a process of its own, pinned to a core of its own. Takes one Load as JSON on
// its command line and prints one LoadResult as JSON. Closed loop: a publisher has at most `window`
// messages on their way, so nothing is lost and nothing queues without end.

import { performance } from 'node:perf_hooks';
import { publishPacket, RawClient } from './raw-client.ts';
import type { Load, LoadResult } from './types.ts';

const INDEX_BYTES = 4;

class Publisher {
  /** Deliveries still to come before the next batch. */
  outstanding = 0;
  readonly #client: RawClient;
  readonly #batch: Buffer;
  readonly #perBatch: number;
  readonly #idOffsets: number[];
  #nextId = 1;
  #stopped = false;

  constructor(client: RawClient, load: Load, index: number, topics: readonly string[]) {
    this.#client = client;
    const payload = Buffer.alloc(Math.max(load.payloadBytes, INDEX_BYTES), 0x61);
    payload.writeUInt32BE(index, 0);
    const packets = Array.from({ length: load.window }, (_, i) =>
      publishPacket(topics[i % topics.length]!, load.publishQos, payload),
    );
    this.#batch = Buffer.concat(packets);
    this.#perBatch = load.window * load.copies;
    let at = 0;
    this.#idOffsets = packets.map((bytes) => {
      const offset = at + bytes.length - payload.length - 2;
      at += bytes.length;
      return offset;
    });
    // PUBREC asks for PUBREL; PUBACK and PUBCOMP for nothing.
    client.onPacket((buffer, start) => {
      if (buffer[start] === 0x50) {
        client.socket.write(Buffer.from([0x62, 2, buffer[start + 2]!, buffer[start + 3]!]));
      }
    });
    this.#withIds = load.publishQos > 0;
  }

  readonly #withIds: boolean;

  send(): void {
    if (this.#stopped) return;
    this.outstanding = this.#perBatch;
    let bytes = this.#batch;
    if (this.#withIds) {
      bytes = Buffer.from(bytes);
      for (const offset of this.#idOffsets) {
        bytes.writeUInt16BE(this.#nextId, offset);
        this.#nextId = (this.#nextId % 65_535) + 1;
      }
    }
    this.#client.socket.write(bytes);
  }

  stop(): void {
    this.#stopped = true;
  }
}

/** Counts deliveries, gives each publisher its window back, acknowledges QoS 1 and 2. */
function receiver(client: RawClient, load: Load, publishers: Publisher[], counter: Counter): void {
  const qos = Math.min(load.publishQos, load.subscribeQos);
  let acks: Buffer[] = [];
  const flush = (): void => {
    client.socket.write(Buffer.concat(acks));
    acks = [];
  };
  client.onPacket((buffer, start, end) => {
    const type = buffer[start]! >> 4;
    if (type === 3) {
      counter.received += 1;
      if (qos > 0) {
        const id = end - Math.max(load.payloadBytes, INDEX_BYTES) - 2;
        if (acks.length === 0) setImmediate(flush);
        acks.push(Buffer.from([qos === 1 ? 0x40 : 0x50, 2, buffer[id]!, buffer[id + 1]!]));
      }
      const index = buffer.readUInt32BE(end - Math.max(load.payloadBytes, INDEX_BYTES));
      const publisher = publishers[index]!;
      publisher.outstanding -= 1;
      if (publisher.outstanding === 0) publisher.send();
    } else if (type === 6) {
      if (acks.length === 0) setImmediate(flush);
      acks.push(Buffer.from([0x70, 2, buffer[start + 2]!, buffer[start + 3]!]));
    }
  });
}

interface Counter {
  received: number;
}

function topicsOf(load: Load, publisher: number): string[] {
  return Array.from({ length: load.topicsPerPublisher }, (_, i) =>
    load.topic.replace('{p}', String(publisher)).replace('{t}', String(i)),
  );
}

async function throughput(load: Load): Promise<LoadResult> {
  const publishers: Publisher[] = [];
  const counter: Counter = { received: 0 };
  for (let i = 0; i < load.subscribers; i++) {
    const client = await RawClient.open(load.subscribeAt, `bench-s${i}`);
    const filters = load.filters.map((filter) => filter.replace('{s}', String(i)));
    await client.subscribe(filters, load.subscribeQos);
    receiver(client, load, publishers, counter);
  }
  for (let i = 0; i < load.publishers; i++) {
    const client = await RawClient.open(load.publishAt, `bench-p${i}`);
    publishers.push(new Publisher(client, load, i, topicsOf(load, i)));
  }
  for (const publisher of publishers) publisher.send();
  await sleep(load.warmupMs);
  const from = { at: performance.now(), received: counter.received, cpu: process.cpuUsage() };
  await sleep(load.measureMs);
  const seconds = (performance.now() - from.at) / 1000;
  const cpu = process.cpuUsage(from.cpu);
  for (const publisher of publishers) publisher.stop();
  const rate = (counter.received - from.received) / seconds;
  return { rate, generatorBusy: (cpu.user + cpu.system) / 1e6 / seconds };
}

/** One publisher and one subscriber at a fixed rate; latency of each message, microseconds. */
async function latency(load: Load): Promise<LoadResult> {
  const subscriber = await RawClient.open(load.subscribeAt, 'bench-latency-s');
  await subscriber.subscribe(load.filters, load.subscribeQos);
  const publisher = await RawClient.open(load.publishAt, 'bench-latency-p');
  const samples: number[] = [];
  const started = performance.now();
  let sent = 0;
  let measuring = false;
  const size = Math.max(load.payloadBytes, 8);
  subscriber.onPacket((buffer, _start, end) => {
    if (!measuring) return;
    samples.push((performance.now() - buffer.readDoubleBE(end - size)) * 1000);
  });
  const payload = Buffer.alloc(size);
  const topic = topicsOf(load, 0)[0]!;
  const perMs = load.ratePerSecond / 1000;
  const end = started + load.warmupMs + load.measureMs;
  while (performance.now() < end) {
    const now = performance.now();
    measuring = now > started + load.warmupMs;
    const due = Math.floor((now - started) * perMs);
    for (; sent < due; sent++) {
      payload.writeDoubleBE(performance.now(), 0);
      publisher.socket.write(publishPacket(topic, load.publishQos, payload));
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  await sleep(200);
  samples.sort((a, b) => a - b);
  const at = (share: number): number =>
    samples[Math.min(samples.length - 1, Math.floor(samples.length * share))] ?? Number.NaN;
  return {
    rate: samples.length / (load.measureMs / 1000),
    p50: at(0.5),
    p99: at(0.99),
    max: at(1),
  };
}

/** CONNECT, CONNACK, DISCONNECT, again and again over `publishers` lanes. */
async function churn(load: Load): Promise<LoadResult> {
  let connected = 0;
  let running = true;
  let next = 0;
  const lane = async (): Promise<void> => {
    while (running) {
      const client = await RawClient.open(load.publishAt, `bench-c${next++}`);
      connected += 1;
      client.socket.end(Buffer.from([0xe0, 0]));
    }
  };
  const lanes = Array.from({ length: load.publishers }, lane);
  await sleep(load.warmupMs);
  const from = { at: performance.now(), connected };
  await sleep(load.measureMs);
  const rate = (connected - from.connected) / ((performance.now() - from.at) / 1000);
  running = false;
  await Promise.all(lanes);
  return { rate };
}

/** Opens idle connections and tells when they stand; the caller reads the broker's memory. */
async function idle(load: Load): Promise<LoadResult> {
  const lanes = 50;
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < load.publishers) await RawClient.open(load.publishAt, `bench-idle-${next++}`);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  await sleep(load.measureMs);
  return { rate: load.publishers };
}

/** Leaves sessions behind: each client comes, subscribes and goes without ending its session. */
async function sessions(load: Load): Promise<LoadResult> {
  const lanes = 50;
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < load.publishers) {
      const id = next++;
      const client = await RawClient.open(load.publishAt, `bench-session-${id}`, true);
      await client.subscribe([`session/${id}/+`], 1);
      client.socket.end(Buffer.from([0xe0, 0]));
    }
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: lanes }, lane));
  return { rate: load.publishers / ((performance.now() - startedAt) / 1000) };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const load = JSON.parse(process.argv[2] ?? '{}') as Load;
const kinds = { throughput, latency, churn, idle, sessions };
const result = await kinds[load.kind](load);
process.stdout.write(`${JSON.stringify(result)}\n`);
if (load.kind === 'idle') setInterval(() => undefined, 60_000);
else process.exit(0);
