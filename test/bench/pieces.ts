// `node --import tsx test/bench/pieces.ts [megabytes]`: the broker's processor time for large PUBLISH packets
// that arrive in one burst and in small segments, as from a slow network. The cost for each byte must not
// depend on the number of segments. mosquitto runs beside it if it is installed.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { availableBrokers, type BrokerName, startBroker } from './brokers.ts';
import { cpuSeconds } from './load/clock.ts';
import { connectPacket, publishPacket } from './load/packets.ts';
import { markdownTable, median } from './table.ts';

const PACKETS = 20;
const RUNS = 3;
/** As much as a TCP segment carries on an Ethernet. */
const SEGMENT_BYTES = 1400;
/** The broker reads each segment by itself if it has this long before the next one. */
const PAUSE_MS = 0.1;

const megabytes = Number(process.argv[2] ?? 1);
const payload = Buffer.alloc(megabytes * 1_000_000);
const message = publishPacket('pieces', 1, payload);

const rows: string[][] = [];
for (const broker of availableBrokers()) {
  const burst = await measure(broker, message.length);
  const pieces = await measure(broker, SEGMENT_BYTES);
  const ratio = (pieces / burst).toFixed(1);
  rows.push([broker, `${burst.toFixed(1)} ms`, `${pieces.toFixed(1)} ms`, ratio]);
}
const head = [
  `processor time for each ${megabytes} MB`,
  'one burst',
  'segments of 1400 B',
  'ratio',
];
console.log(markdownTable(head, rows));

/** @returns milliseconds of processor time for each packet, median of the runs */
async function measure(broker: BrokerName, segmentBytes: number): Promise<number> {
  const samples: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const { port, pid, stop } = await startBroker(broker);
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    socket.write(connectPacket('pieces'));
    await once(socket, 'data');
    await publish(socket, segmentBytes);
    const before = cpuSeconds(pid);
    for (let sent = 0; sent < PACKETS; sent++) await publish(socket, segmentBytes);
    samples.push(((cpuSeconds(pid) - before) * 1000) / PACKETS);
    socket.destroy();
    await stop();
  }
  return median(samples);
}

/** Sends one packet and waits for its PUBACK. */
async function publish(socket: Socket, segmentBytes: number): Promise<void> {
  const acknowledged = once(socket, 'data');
  for (let at = 0; at < message.length; at += segmentBytes) {
    const isFlushed = socket.write(message.subarray(at, at + segmentBytes));
    if (!isFlushed) await once(socket, 'drain');
    if (segmentBytes < message.length) await pause();
  }
  await acknowledged;
}

/** Spins, because a timer waits ten times as long. */
async function pause(): Promise<void> {
  const endMs = performance.now() + PAUSE_MS;
  while (performance.now() < endMs) await new Promise((resolve) => setImmediate(resolve));
}
