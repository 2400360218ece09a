// Throughput of an embedded broker: the same program of twenty lines in Shoal and in aedes (the files in
// test/bench/embedded), four devices that send as fast as they may, and the time that the program's
// process needs. `npm run build && npx tsx test/bench/embedded.ts [runs]`

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { join } from 'node:path';
import { freePorts } from '../support/free-ports.ts';
import { connectPacket, publishPacket, subscribePacket } from './load/packets.ts';

const DEVICES = 4;
const READINGS = 400_000;
const BATCH = 100;
const WARM_READINGS = 40_000;
const runs = Number(process.argv[2] ?? 3);
/** Clock ticks of /proc/PID/stat, in a second. */
const TICKS_PER_SECOND = 100;

interface Result {
  readonly perSecond: number;
  readonly cpuMicroseconds: number;
}

async function open(port: number, clientId: string): Promise<Socket> {
  for (;;) {
    const socket = createConnection(port, '127.0.0.1');
    const isOpen = await new Promise<boolean>((done) => {
      socket.once('connect', () => done(true)).once('error', () => done(false));
    });
    if (!isOpen) {
      await new Promise((done) => setTimeout(done, 20));
      continue;
    }
    socket.write(connectPacket(clientId));
    await new Promise((done) => socket.once('data', done));
    return socket;
  }
}

/** QoS 0: TCP slows the device down. QoS 1: a batch waits for its acknowledgements. */
async function sendReadings(socket: Socket, qos: number, count: number): Promise<void> {
  const one = publishPacket('sensors/hall', qos, Buffer.from('21.4'));
  const batch = Buffer.concat(
    Array.from({ length: BATCH }, (_, index) => {
      const bytes = Buffer.from(one);
      if (qos > 0) bytes.writeUInt16BE(index + 1, bytes.length - 6);
      return bytes;
    }),
  );
  let acknowledged = 0;
  let wake = (): void => undefined;
  const count4 = (chunk: Buffer): void => {
    acknowledged += chunk.length / 4;
    wake();
  };
  socket.on('data', count4);
  for (let sent = 0; sent < count; sent += BATCH) {
    const isTaken = socket.write(batch);
    if (!isTaken) await new Promise((done) => socket.once('drain', done));
    while (qos > 0 && acknowledged < sent + BATCH - 0.5) {
      await new Promise<void>((done) => {
        wake = done;
      });
    }
  }
  socket.off('data', count4);
}

function cpuSeconds({ pid }: ChildProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

async function measure(name: string, qos: number): Promise<Result> {
  const [port = 0] = await freePorts(1);
  const file = join(import.meta.dirname, 'embedded', `${name}.mjs`);
  const child = spawn(process.execPath, [file, String(port)], { stdio: 'inherit' });
  try {
    const watcher = await open(port, 'watcher');
    watcher.write(subscribePacket(['summary'], 0));
    await new Promise((done) => watcher.once('data', done));
    let text = '';
    let onSummary = (): void => undefined;
    watcher.on('data', (chunk: Buffer) => {
      text = (text + chunk.toString('latin1')).slice(-4096);
      onSummary();
    });
    const summed = async (count: number): Promise<void> => {
      while (!text.includes(`summary${count} `)) {
        await new Promise<void>((done) => {
          onSummary = done;
        });
      }
    };
    const devices = await Promise.all(
      Array.from({ length: DEVICES }, (_, index) => open(port, `device${index}`)),
    );
    const sendAll = (count: number) =>
      Promise.all(devices.map((device) => sendReadings(device, qos, count / DEVICES)));
    await sendAll(WARM_READINGS);
    await summed(WARM_READINGS);
    const cpu = cpuSeconds(child);
    const from = performance.now();
    await sendAll(READINGS);
    // Every reading is in the sum: none was lost.
    await summed(WARM_READINGS + READINGS);
    const seconds = (performance.now() - from) / 1000;
    for (const socket of [watcher, ...devices]) socket.destroy();
    return {
      perSecond: READINGS / seconds,
      cpuMicroseconds: ((cpuSeconds(child) - cpu) / READINGS) * 1e6,
    };
  } finally {
    child.kill('SIGKILL');
  }
}

for (const qos of [0, 1]) {
  const results: Record<string, Result[]> = { shoal: [], aedes: [] };
  for (let run = 0; run < runs; run++) {
    for (const name of Object.keys(results)) results[name]?.push(await measure(name, qos));
  }
  for (const [name, all] of Object.entries(results)) {
    const [median] = all
      .sort((a, b) => a.cpuMicroseconds - b.cpuMicroseconds)
      .slice(Math.floor(runs / 2));
    const { perSecond = 0, cpuMicroseconds = 0 } = median ?? {};
    const cells = [`QoS ${qos}`, name, `${Math.round(perSecond)} readings/s`];
    console.log(`${cells.join('  ')}  ${cpuMicroseconds.toFixed(2)} us of processor time each`);
  }
}
process.exit(0);
