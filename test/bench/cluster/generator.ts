// A load generator for a path that may lose messages. Each message carries its publisher, sequence
// number and time, so that the generator sees loss, order and latency; it reopens a window that stalls.
// Publishers and subscribers share this process, which run-load.ts starts, and so share one clock.

import net from 'node:net';
import type { LoadMessage, LoadPlan, LoadResult, Place } from './plan.ts';
import { connectPacket, publishTemplate, Scanner, subscribePacket, type Template } from './wire.ts';

/** A window that received nothing for this long is reopened. */
const STALL_MS = 2000;
/** At the end, the run is complete when nothing has arrived for this long. */
const QUIET_MS = 500;
const LATENCY_SAMPLES_MAX = 1 << 20;

class Publisher {
  readonly index: number;
  readonly #socket: net.Socket;
  readonly #template: Template;
  readonly #copies: number;
  sent = 0;
  received = 0;
  /** Messages that the window no longer waits for. */
  forgiven = 0;
  progressAt = 0;

  constructor(index: number, socket: net.Socket, template: Template, copies: number) {
    this.index = index;
    this.#socket = socket;
    this.#template = template;
    this.#copies = copies;
  }

  get underWay(): number {
    return this.missing - this.forgiven;
  }

  get missing(): number {
    return this.sent - Math.floor(this.received / this.#copies);
  }

  send(count: number): void {
    const { packet, packetIdAt, payloadAt } = this.#template;
    const size = packet.length;
    const batch = Buffer.allocUnsafe(size * count);
    const now = performance.now();
    for (let i = 0; i < count; i++) {
      const at = i * size;
      packet.copy(batch, at);
      if (packetIdAt > 0) batch.writeUInt16BE((this.sent % 65535) + 1, at + packetIdAt);
      batch.writeUInt16BE(this.index, at + payloadAt);
      batch.writeUInt32BE(this.sent, at + payloadAt + 2);
      batch.writeDoubleBE(now, at + payloadAt + 6);
      this.sent += 1;
    }
    this.#socket.write(batch);
  }
}

interface ChunkHandlers {
  onSuback(): void;
  onPublish(buffer: Buffer, payloadAt: number, packetIdAt: number): void;
  onChunkEnd(): void;
}

class Load {
  readonly #plan: LoadPlan;
  readonly #publishers: Publisher[] = [];
  readonly #sockets: net.Socket[] = [];
  readonly #latencies = new Float64Array(LATENCY_SAMPLES_MAX);
  /** Highest sequence by subscriber and publisher. */
  readonly #highest: Int32Array;
  #isRunning = false;
  #isMeasuring = false;
  #received = 0;
  #disordered = 0;
  /** Arrival time of the chunk being read. */
  #now = 0;
  /** Publishers with at least one message in this chunk. */
  #touched = new Set<Publisher>();

  constructor(plan: LoadPlan) {
    this.#plan = plan;
    this.#highest = new Int32Array(plan.subscribers.length * plan.publishers.length).fill(-1);
  }

  async connect(): Promise<void> {
    const { publishers, subscribers, payloadBytes, qos, version, copies } = this.#plan;
    await Promise.all(subscribers.map((subscriber, index) => this.#subscribe(subscriber, index)));
    await Promise.all(
      publishers.map(async ({ topic, ...place }, index) => {
        const socket = await this.#open(place, `pub-${index}`);
        const template = publishTemplate(topic, payloadBytes, qos, version);
        this.#publishers[index] = new Publisher(index, socket, template, copies);
      }),
    );
  }

  async run(): Promise<LoadResult> {
    const { pace, warmupSeconds, seconds } = this.#plan;
    this.#isRunning = true;
    const stop = 'window' in pace ? this.#keepWindows(pace.window) : this.#keepRate(pace.rate);
    await sleep(warmupSeconds * 1000);
    send({ kind: 'measuring' });
    const from = performance.now();
    const sentBefore = this.#sum('sent');
    this.#isMeasuring = true;
    await sleep(seconds * 1000);
    this.#isMeasuring = false;
    const measuredSeconds = (performance.now() - from) / 1000;
    const sent = this.#sum('sent') - sentBefore;
    send({ kind: 'measured' });
    this.#isRunning = false;
    stop();
    do await sleep(QUIET_MS);
    while (performance.now() - this.#now < QUIET_MS);
    for (const socket of this.#sockets) socket.destroy();
    return {
      sent,
      received: this.#received,
      seconds: measuredSeconds,
      lost: this.#sum('missing'),
      disordered: this.#disordered,
      latencyUs: this.#percentiles(Math.min(this.#received, LATENCY_SAMPLES_MAX)),
    };
  }

  #sum(what: 'sent' | 'missing'): number {
    return this.#publishers.reduce((sum, publisher) => sum + publisher[what], 0);
  }

  #keepWindows(window: number): () => void {
    for (const publisher of this.#publishers) {
      publisher.progressAt = performance.now();
      publisher.send(window);
    }
    const watch = setInterval(() => {
      const now = performance.now();
      for (const publisher of this.#publishers) {
        if (now - publisher.progressAt < STALL_MS) continue;
        publisher.forgiven = publisher.missing;
        publisher.progressAt = now;
        publisher.send(window);
      }
    }, STALL_MS / 2);
    return () => clearInterval(watch);
  }

  #keepRate(rate: number): () => void {
    const from = performance.now();
    let sent = 0;
    let isOver = false;
    const step = (): void => {
      if (isOver) return;
      const due = Math.floor(((performance.now() - from) / 1000) * rate);
      while (sent < due) {
        this.#publishers[sent % this.#publishers.length]?.send(1);
        sent += 1;
      }
      setImmediate(step);
    };
    step();
    return () => {
      isOver = true;
    };
  }

  async #subscribe(subscriber: Place & { filter: string }, index: number): Promise<void> {
    const { qos, version } = this.#plan;
    let acks: number[] = [];
    let ready = (): void => undefined;
    const isReady = new Promise<void>((resolve) => {
      ready = resolve;
    });
    const socket = await this.#open(subscriber, `sub-${index}`, {
      onSuback: () => ready(),
      onPublish: (buffer, payloadAt, packetIdAt) => {
        if (packetIdAt > 0) acks.push(buffer.readUInt16BE(packetIdAt));
        this.#count(index, buffer, payloadAt);
      },
      onChunkEnd: () => {
        if (acks.length > 0) {
          socket.write(Buffer.from(acks.flatMap((id) => [0x40, 2, id >> 8, id & 0xff])));
          acks = [];
        }
        this.#refill();
      },
    });
    socket.write(subscribePacket(subscriber.filter, qos, version));
    await isReady;
  }

  #open(place: Place, clientId: string, handlers?: ChunkHandlers): Promise<net.Socket> {
    const { host = '127.0.0.1', port } = place;
    return new Promise((resolve, reject) => {
      const socket = net.connect({ port, host, noDelay: true });
      this.#sockets.push(socket);
      const scanner = new Scanner(this.#plan.version, {
        onConnack: () => resolve(socket),
        onSuback: () => handlers?.onSuback(),
        onPublish: (buffer, payloadAt, packetIdAt) =>
          handlers?.onPublish(buffer, payloadAt, packetIdAt),
      });
      socket.on('data', (chunk: Buffer) => {
        this.#now = performance.now();
        scanner.push(chunk);
        handlers?.onChunkEnd();
      });
      socket.on('error', reject);
      socket.on('close', () => {
        if (this.#isRunning) throw new Error(`the broker at ${host}:${port} closed ${clientId}`);
      });
      socket.write(connectPacket(`load-${process.pid}-${clientId}`, this.#plan.version));
    });
  }

  #count(subscriber: number, buffer: Buffer, payloadAt: number): void {
    const publisher = this.#publishers[buffer.readUInt16BE(payloadAt)];
    if (publisher === undefined) return;
    const sequence = buffer.readUInt32BE(payloadAt + 2);
    const slot = subscriber * this.#publishers.length + publisher.index;
    if (sequence <= this.#highest[slot]!) this.#disordered += 1;
    else this.#highest[slot] = sequence;
    publisher.received += 1;
    this.#touched.add(publisher);
    if (!this.#isMeasuring) return;
    if (this.#received < LATENCY_SAMPLES_MAX) {
      this.#latencies[this.#received] = this.#now - buffer.readDoubleBE(payloadAt + 6);
    }
    this.#received += 1;
  }

  #refill(): void {
    const { pace } = this.#plan;
    if (this.#isRunning && 'window' in pace) {
      for (const publisher of this.#touched) {
        publisher.progressAt = this.#now;
        const room = pace.window - publisher.underWay;
        if (room > 0) publisher.send(room);
      }
    }
    this.#touched.clear();
  }

  #percentiles(count: number): LoadResult['latencyUs'] {
    const sorted = this.#latencies.subarray(0, count).sort();
    const at = (share: number): number =>
      Math.round((sorted[Math.min(count - 1, Math.floor(count * share))] ?? 0) * 1000);
    return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function send(message: LoadMessage): void {
  process.send?.(message);
}

process.once('message', async (plan: LoadPlan) => {
  const load = new Load(plan);
  await load.connect();
  send({ kind: 'result', result: await load.run() });
  process.disconnect();
});
