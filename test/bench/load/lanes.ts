// Loads that open many connections, a bounded number at a time (lanes).

import { performance } from 'node:perf_hooks';
import { perMessage, sleep, startInterval } from './clock.ts';
import { DISCONNECT, publishPacket } from './packets.ts';
import { RawClient } from './raw-client.ts';
import type { Load, LoadResult } from './types.ts';

const LANES = 50;
/** Clients that reconnect in turn. */
const FLEET = 5_000;
/** Bit of the first byte of a PUBLISH. */
const RETAIN = 1;

/** Runs `work` for 0 to `count` - 1. */
async function forEach(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

function leave(client: RawClient): void {
  client.connection.write(DISCONNECT);
  client.connection.close();
}

/** Sends DISCONNECT and waits until the broker has closed the connection, so that all of its work is counted. */
function disconnected(client: RawClient): Promise<void> {
  return new Promise((resolve) => {
    client.connection.onEnd = resolve;
    client.connection.write(DISCONNECT);
  });
}

/** Repeats CONNECT, CONNACK, DISCONNECT and the broker's close on `publishers` lanes. */
export function churn(load: Load): Promise<LoadResult> {
  let next = 0;
  return repeat(load, async () => {
    await disconnected(await RawClient.open(load.publishAt, `bench-c${next++}`));
  });
}

/** A fleet whose connections are cut: its clients resume their sessions, each with a subscription. */
export async function reconnect(load: Load): Promise<LoadResult> {
  await sessions({ ...load, publishers: FLEET });
  let next = 0;
  return repeat(load, async () => {
    const name = `bench-session-${next++ % FLEET}`;
    (await RawClient.open(load.publishAt, name, true)).connection.close();
  });
}

/** Repeats `connect` on `publishers` lanes. */
async function repeat(load: Load, connect: () => Promise<void>): Promise<LoadResult> {
  let connected = 0;
  let running = true;
  const lane = async (): Promise<void> => {
    while (running) {
      await connect();
      connected += 1;
    }
  };
  const lanes = Array.from({ length: load.publishers }, lane);
  await sleep(load.warmupMs);
  const end = startInterval(load.brokerPid);
  const before = connected;
  await sleep(load.measureMs);
  const result = perMessage(end(), connected - before);
  running = false;
  await Promise.all(lanes);
  return result;
}

/** Opens idle connections and reports when all are open; the caller reads the broker's memory then. */
export async function idle(load: Load): Promise<LoadResult> {
  await forEach(load.publishers, async (index) => {
    await RawClient.open(load.publishAt, `bench-idle-${index}`);
  });
  await sleep(load.measureMs);
  return { rate: load.publishers };
}

/** Creates offline sessions: each client connects, subscribes and disconnects, keeping its session. */
export async function sessions(load: Load): Promise<LoadResult> {
  const startedAt = performance.now();
  await forEach(load.publishers, async (index) => {
    const client = await RawClient.open(load.publishAt, `bench-session-${index}`, true);
    await client.subscribe([`session/${index}/+`], 1);
    leave(client);
  });
  return { rate: load.publishers / ((performance.now() - startedAt) / 1000) };
}

/** Retained messages under way at once. */
const RETAINED_WINDOW = 50;

/** Sets a retained message on each of `publishers` topics, over one connection. */
export async function retained(load: Load): Promise<LoadResult> {
  const client = await RawClient.open(load.publishAt, 'bench-retained');
  const payload = Buffer.alloc(load.payloadBytes, 0x61);
  let sent = 0;
  let acknowledged = 0;
  const send = (): void => {
    const bytes = publishPacket(`retained/${String(sent).padStart(7, '0')}`, 1, payload);
    bytes[0]! |= RETAIN;
    bytes.writeUInt16BE((sent % 65_535) + 1, bytes.length - payload.length - 2);
    sent += 1;
    client.connection.write(bytes);
  };
  await new Promise<void>((resolve) => {
    client.onPacket(() => {
      acknowledged += 1;
      if (acknowledged === load.publishers) resolve();
      else if (sent < load.publishers) send();
    });
    while (sent < Math.min(RETAINED_WINDOW, load.publishers)) send();
  });
  leave(client);
  return { rate: load.publishers };
}
