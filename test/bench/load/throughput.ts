// Throughput as a closed loop: a publisher has at most `window` messages in flight, so nothing is lost
// and no queue grows without bound. All packets of a load have the same size, so that the generator counts
// bytes instead of parsing them; one pass over a chunk and one write acknowledge all of its messages.

import { perMessage, sleep, startInterval } from './clock.ts';
import type { OnBytes } from './handle.ts';
import { publishPacket } from './packets.ts';
import { RawClient } from './raw-client.ts';
import type { Load, LoadResult } from './types.ts';

const INDEX_BYTES = 4;
const ACK_BYTES = 4;
const PUBACK = 0x40;
const PUBREC = 0x50;
const PUBREL = 0x62;
const PUBCOMP = 0x70;

/** Numbers in topics have the same width, so that packets have the same size. */
export const padded = (index: number): string => String(index).padStart(4, '0');

export function topicsOf(load: Load, publisher: number): string[] {
  return Array.from({ length: load.topicsPerPublisher }, (_, i) =>
    load.topic.replace('{p}', padded(publisher)).replace('{t}', padded(i)),
  );
}

export const filtersOf = (load: Load, subscriber: number): string[] =>
  load.filters.map((filter) => filter.replace('{s}', padded(subscriber)));

const payloadBytesOf = (load: Load): number => Math.max(load.payloadBytes, INDEX_BYTES);

class Publisher {
  readonly #client: RawClient;
  readonly #perBatch: number;
  readonly #idOffsets: number[] = [];
  #batch: Buffer;
  /** Deliveries to wait for before the next batch. */
  #outstanding = 0;
  #nextId = 1;
  #isStopped = false;

  constructor(client: RawClient, load: Load, index: number) {
    this.#client = client;
    const payload = Buffer.alloc(payloadBytesOf(load), 0x61);
    payload.writeUInt32BE(index, 0);
    const topics = topicsOf(load, index);
    const packets = Array.from({ length: load.window }, (_, i) =>
      publishPacket(topics[i % topics.length]!, load.publishQos, payload),
    );
    this.#batch = Buffer.concat(packets);
    this.#perBatch = load.window * load.copies;
    if (load.publishQos > 0) {
      const size = packets[0]!.length;
      this.#idOffsets = packets.map((_, i) => (i + 1) * size - payload.length - 2);
    }
    const answer = new Answers(client);
    client.connection.onBytes =
      load.publishQos === 2
        ? inFrames(
            () => ACK_BYTES,
            (buffer, at) => {
              if (buffer[at] === PUBREC) answer.add(PUBREL, buffer[at + 2]!, buffer[at + 3]!);
            },
            () => answer.flush(),
          )
        : () => undefined;
  }

  /** Counts deliveries of this publisher's messages. */
  delivered(count: number): void {
    this.#outstanding -= count;
    if (this.#outstanding === 0) this.send();
  }

  send(): void {
    if (this.#isStopped) return;
    this.#outstanding = this.#perBatch;
    const batch = this.#batch;
    for (const offset of this.#idOffsets) {
      batch[offset] = this.#nextId >> 8;
      batch[offset + 1] = this.#nextId & 0xff;
      this.#nextId = this.#nextId === 65_535 ? 1 : this.#nextId + 1;
    }
    const taken = this.#client.connection.write(batch);
    if (!taken && this.#idOffsets.length > 0) this.#batch = Buffer.from(batch);
  }

  stop(): void {
    this.#isStopped = true;
  }
}

/** Collects four-byte packets while a chunk is read, and writes them at its end. */
class Answers {
  static #buffer = Buffer.alloc(65_536);
  static #length = 0;
  readonly #client: RawClient;

  constructor(client: RawClient) {
    this.#client = client;
  }

  add(first: number, idHigh: number, idLow: number): void {
    if (Answers.#length === Answers.#buffer.length) this.flush();
    const buffer = Answers.#buffer;
    let at = Answers.#length;
    buffer[at++] = first;
    buffer[at++] = 2;
    buffer[at++] = idHigh;
    buffer[at++] = idLow;
    Answers.#length = at;
  }

  flush(): void {
    if (Answers.#length === 0) return;
    const taken = this.#client.connection.write(Answers.#buffer.subarray(0, Answers.#length));
    if (!taken) Answers.#buffer = Buffer.alloc(Answers.#buffer.length);
    Answers.#length = 0;
  }
}

/** Divides a stream into packets by the size for their first byte; keeps the rest for the next chunk. */
function inFrames(
  sizeOf: (first: number) => number,
  onFrame: (buffer: Buffer, at: number) => void,
  onChunkEnd: () => void,
): OnBytes {
  let rest = Buffer.alloc(0);
  return (bytes, count) => {
    let buffer = bytes;
    let length = count;
    if (rest.length > 0) {
      buffer = Buffer.concat([rest, bytes.subarray(0, count)]);
      length = buffer.length;
      rest = Buffer.alloc(0);
    }
    let at = 0;
    while (at < length) {
      const end = at + sizeOf(buffer[at]!);
      if (end > length) break;
      onFrame(buffer, at);
      at = end;
    }
    if (at < length) rest = Buffer.from(buffer.subarray(at, length));
    onChunkEnd();
  };
}

/** Counts packets of one size; checks the first byte of one packet in each chunk. */
function counting(size: number, first: number, onMessages: (count: number) => void): OnBytes {
  let rest = 0;
  return (bytes, length) => {
    const boundary = rest === 0 ? 0 : size - rest;
    if (boundary < length && bytes[boundary] !== first) throw unexpected(bytes[boundary]);
    const total = rest + length;
    const whole = Math.floor(total / size);
    rest = total - whole * size;
    if (whole > 0) onMessages(whole);
  };
}

function unexpected(first: number | undefined): Error {
  return new Error(`a packet that no load expects: first byte ${first}`);
}

interface Counter {
  received: number;
}

/** Counts deliveries, reopens the publishers' windows, acknowledges QoS 1 and 2. */
function receiver(
  client: RawClient,
  load: Load,
  index: number,
  publishers: Publisher[],
  counter: Counter,
): OnBytes {
  const qos = Math.min(load.publishQos, load.subscribeQos);
  const payload = Buffer.alloc(payloadBytesOf(load));
  const size = publishPacket(topicsOf(load, 0)[0]!, qos, payload).length;
  const first = 0x30 | (qos << 1);
  const isPairs = load.publishers === load.subscribers && load.copies === 1;
  if (qos === 0 && (isPairs || load.publishers === 1)) {
    const own = isPairs ? index : 0;
    return counting(size, first, (count) => {
      counter.received += count;
      publishers[own]!.delivered(count);
    });
  }
  const indexAt = size - payload.length;
  const idAt = indexAt - 2;
  const answers = new Answers(client);
  const ack = qos === 1 ? PUBACK : PUBREC;
  return inFrames(
    (byte) => {
      if (byte === first) return size;
      if (byte !== PUBREL) throw unexpected(byte);
      return ACK_BYTES;
    },
    (buffer, at) => {
      if (buffer[at] === PUBREL) {
        answers.add(PUBCOMP, buffer[at + 2]!, buffer[at + 3]!);
        return;
      }
      counter.received += 1;
      if (qos > 0) answers.add(ack, buffer[at + idAt]!, buffer[at + idAt + 1]!);
      const from = at + indexAt;
      publishers[(buffer[from + 2]! << 8) | buffer[from + 3]!]!.delivered(1);
    },
    () => answers.flush(),
  );
}

export async function throughput(load: Load): Promise<LoadResult> {
  const publishers: Publisher[] = [];
  const counter: Counter = { received: 0 };
  for (let i = 0; i < load.subscribers; i++) {
    const client = await RawClient.open(load.subscribeAt, `bench-s${i}`);
    await client.subscribe(filtersOf(load, i), load.subscribeQos);
    client.connection.onBytes = receiver(client, load, i, publishers, counter);
  }
  for (let i = 0; i < load.publishers; i++) {
    const client = await RawClient.open(load.publishAt, `bench-p${i}`);
    publishers.push(new Publisher(client, load, i));
  }
  for (const publisher of publishers) publisher.send();
  await sleep(load.warmupMs);
  const end = startInterval(load.brokerPid);
  const before = counter.received;
  await sleep(load.measureMs);
  const result = perMessage(end(), counter.received - before);
  for (const publisher of publishers) publisher.stop();
  return result;
}
