// Measures the cost of -data: acknowledged QoS 1 messages a second with and without it in the same run,
// the start with 100,000 sessions and 1,000,000 retained messages, and the pauses that a snapshot of
// them causes. `tsx test/bench/storage.ts [acks|start]... [--folder DIR]`; the folder selects the disk.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Broker } from '../../src/broker/broker.ts';
import { NO_BYTES, newTopic } from '../../src/broker/message/message.ts';
import { silentLogger } from '../../src/shared/logger.ts';
import { Journal } from '../../src/storage/journal.ts';
import { BUNDLE, ShoalProcess } from '../support/shoal-process.ts';
import { freePort } from './brokers.ts';
import { publishPacket } from './load/packets.ts';
import { RawClient } from './load/raw-client.ts';

const RUNS = 3;
const PAIRS = 50;
const WINDOW = 20;
const WARMUP_MS = 1000;
const MEASURE_MS = 3000;
const SESSIONS = 100_000;
const RETAINED = 1_000_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { folder: { type: 'string', default: tmpdir() } },
});
const isChosen = (part: string): boolean => positionals.length === 0 || positionals.includes(part);
const folder = mkdtempSync(join(values.folder, 'shoal-bench-'));
try {
  if (isChosen('acks')) await acks();
  if (isChosen('start')) await start();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function acks(): Promise<void> {
  const rates: Record<string, number[]> = { memory: [], data: [] };
  for (let run = 0; run < RUNS; run++) {
    rates.memory?.push(await ackRate(undefined));
    rates.data?.push(await ackRate(join(folder, `acks-${run}`)));
  }
  const memory = median(rates.memory ?? []);
  const data = median(rates.data ?? []);
  console.log(
    `acknowledged QoS 1 messages/s, ${PAIRS} pairs, window ${WINDOW}, 64 B, persistent sessions:`,
  );
  console.log(
    `  memory ${memory.toFixed(0)}, -data ${data.toFixed(0)}: ${(data / memory).toFixed(2)}`,
  );
}

/** PUBACKs a second to the publishers, while subscribers with persistent sessions acknowledge. */
async function ackRate(data: string | undefined): Promise<number> {
  const port = await freePort();
  const flags = [`-port=${port}`, '-bind=127.0.0.1', '-nid=bench', '-log-level=error'];
  if (data !== undefined) flags.push(`-data=${data}`);
  const broker = spawn('taskset', ['-c', '0', process.execPath, BUNDLE, ...flags], {
    stdio: 'ignore',
  });
  const target = { host: '127.0.0.1', port };
  await reachable(target);
  let count = 0;
  const clients: RawClient[] = [];
  for (let pair = 0; pair < PAIRS; pair++) {
    const subscriber = await RawClient.open(target, `s${pair}`, true);
    await subscriber.subscribe([`bench/${pair}`], 1);
    acknowledging(subscriber);
    const publisher = await RawClient.open(target, `p${pair}`, true);
    const bytes = publishPacket(`bench/${pair}`, 1, Buffer.alloc(64));
    let owed = 0;
    publisher.onPacket(() => {
      count += 1;
      if (owed === 0)
        setImmediate(() => {
          publisher.connection.write(Buffer.concat(Array.from({ length: owed }, () => bytes)));
          owed = 0;
        });
      owed += 1;
    });
    publisher.connection.write(Buffer.concat(Array.from({ length: WINDOW }, () => bytes)));
    clients.push(subscriber, publisher);
  }
  await delay(WARMUP_MS);
  const from = { count, at: performance.now() };
  await delay(MEASURE_MS);
  const rate = (count - from.count) / ((performance.now() - from.at) / 1000);
  for (const { connection } of clients) connection.close();
  await ended(broker);
  return rate;
}

function acknowledging(client: RawClient): void {
  let waiting: Buffer[] = [];
  client.onPacket((buffer, start, end) => {
    if (buffer[start]! >> 4 !== 3) return;
    const id = end - 64 - 2;
    if (waiting.length === 0) {
      setImmediate(() => {
        client.connection.write(Buffer.concat(waiting));
        waiting = [];
      });
    }
    waiting.push(Buffer.from([0x40, 2, buffer[id]!, buffer[id + 1]!]));
  });
}

async function reachable(target: { host: string; port: number }): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      const probe = await RawClient.open(target, 'probe');
      probe.connection.close();
      return;
    } catch {
      await delay(50);
    }
  }
  throw new Error('the broker did not start');
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((done) => {
    child.once('exit', () => done());
    child.kill('SIGKILL');
  });
}

async function start(): Promise<void> {
  const data = join(folder, 'start');
  await fill(data);
  await pauses(data);
  const startedAt = performance.now();
  const shoal = new ShoalProcess(['-port=0', '-bind=127.0.0.1', '-nid=bench', `-data=${data}`]);
  await shoal.waitFor(/Shoal v\S+ tcp/, 120_000);
  const ms = performance.now() - startedAt;
  console.log(
    `start with ${SESSIONS} sessions and ${RETAINED} retained messages: ${(ms / 1000).toFixed(1)} s`,
  );
  for (const line of shoal.output.split('\n')) {
    if (/stored state|are back/.test(line)) console.log(`  ${line.replace(/^.*?event=/, '')}`);
  }
  await shoal.kill();
}

/** Creates sessions with two subscriptions and a queued message each, and retained messages of 64 bytes. */
async function fill(data: string): Promise<void> {
  const { journal } = await Journal.open({ folder: data, log: silentLogger });
  const never = Number.POSITIVE_INFINITY;
  const payload = Buffer.alloc(64, 'x');
  const common = {
    payload,
    properties: NO_BYTES,
    qos: 1,
    expiresAt: never,
    mark: undefined,
    holders: 0,
    hopId: undefined,
    packet: undefined,
    publisher: undefined,
    payer: undefined,
  } as const;
  const shared = {
    ...common,
    topic: newTopic('all', Buffer.from('all')),
    retain: false,
  };
  const options = { qos: 1, noLocal: false, retainAsPublished: false } as const;
  for (let i = 0; i < SESSIONS; i++) {
    const clientId = `client-${i}`;
    journal.saveSession({ clientId, username: 'user', expirySeconds: never, expiresAt: never });
    for (const filter of [`device/${i}/+/set`, 'all']) {
      journal.saveSubscription(clientId, { ...options, filter, subscriptionIdentifier: 0 });
    }
    const state = { retain: false, identifiers: [], packetId: 0, released: false };
    journal.saveDelivery(clientId, { id: 1, message: shared, qos: 1, ...state });
    if (i % 1000 === 0) await safe(journal);
  }
  for (let i = 0; i < RETAINED; i++) {
    const name = `device/${i % SESSIONS}/sensor/${Math.floor(i / SESSIONS)}/value`;
    journal.saveRetained({ ...common, topic: newTopic(name, Buffer.from(name)), retain: true });
    if (i % 10_000 === 0) await safe(journal);
  }
  await safe(journal);
  await journal.close();
}

function safe(journal: Journal): Promise<void> {
  return new Promise((done) => {
    if (journal.whenDurable(() => done()) === 'durable') done();
  });
}

/** Measures how long the event loop is blocked while a snapshot of the whole state is written. */
async function pauses(data: string): Promise<void> {
  const { journal, state } = await Journal.open({
    folder: data,
    log: silentLogger,
    compactBytesMin: Number.MAX_SAFE_INTEGER,
  });
  const options = { retainedMessagesMax: RETAINED, sysIntervalSeconds: 0 };
  const broker = new Broker({
    options,
    random: Math.random,
    now: performance.now(),
    log: silentLogger,
    store: journal,
  });
  broker.importState(state);
  journal.useCapture((writer) => broker.exportState(writer, performance.now()));
  await delay(1000);
  const quiet = await loopDelay(delay(2000));
  const startedAt = performance.now();
  const busy = await loopDelay(journal.compact());
  const seconds = (performance.now() - startedAt) / 1000;
  const [snapshot] = readdirSync(data).filter((name) => name.endsWith('.snapshot'));
  const bytes = snapshot === undefined ? 0 : statSync(join(data, snapshot)).size;
  console.log(
    `snapshot of that state: ${seconds.toFixed(1)} s, ${(bytes / 1e6).toFixed(0)} MB; longest pause ${busy.max.toFixed(1)} ms, 99.9 % ${busy.p999.toFixed(1)} ms (idle: ${quiet.max.toFixed(1)} ms)`,
  );
  await journal.close();
}

async function loopDelay(work: Promise<unknown>): Promise<{ max: number; p999: number }> {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  await work;
  histogram.disable();
  // Every sample includes the timer's own millisecond.
  return { max: histogram.max / 1e6 - 1, p999: histogram.percentile(99.9) / 1e6 - 1 };
}

function median(samples: readonly number[]): number {
  return [...samples].sort((a, b) => a - b)[Math.floor(samples.length / 2)] ?? Number.NaN;
}
