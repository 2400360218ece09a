// What Node itself costs between two nodes: two processes that pass messages on without MQTT, by TCP, in
// datagrams of 65,000 bytes with the MAC of the sync channel and an ack each, and by TCP again. Both run on
// one core, the load on the other.
//   npx tsx test/bench/bare-forwarding.ts [payload bytes] [window]

import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Hmac } from '../../src/shared/hmac.ts';
import { freePort } from './brokers.ts';
import { BROKER_CORE, cpuSeconds } from './load/clock.ts';

const HOST = '127.0.0.1';
const PAIRS = 50;
/** Of an MQTT packet, besides its payload. */
const PACKET_BYTES = 12;
/** The number of the pair, before the bytes of its publisher. */
const HEAD_BYTES = 4;
const TAG_BYTES = 16;
const PIECE_BYTES = 65_000 - TAG_BYTES - HEAD_BYTES;
const ACK = Buffer.alloc(40);
const IN_FLIGHT_MAX = 2;
const RECEIVE_BUFFER_BYTES = 4_000_000;
const SETTLE_MS = 2000;
const MEASURE_MS = 4000;

const [first = '1024', ...others] = process.argv.slice(2);
const [senderTcp = 0, receiverTcp = 0, senderUdp = 0, receiverUdp = 0] = others.map(Number);
const hmac = new Hmac(Buffer.alloc(32, 1));
if (first === 'sender') send();
else if (first === 'receiver') receive();
else await measure(Number(first) + PACKET_BYTES, Number(others[0] ?? 100));

/** Forwards what publishers write. */
function send(): void {
  const waiting: { readonly pair: number; readonly bytes: Buffer }[] = [];
  let inFlight = 0;
  let pairs = 0;
  const udp = createSocket('udp4').bind(senderUdp, HOST);
  const pump = (): void => {
    while (inFlight < IN_FLIGHT_MAX && waiting.length > 0) {
      const { pair, bytes } = waiting.shift()!;
      const end = HEAD_BYTES + bytes.length;
      const datagram = Buffer.allocUnsafeSlow(end + TAG_BYTES);
      datagram.writeUInt32BE(pair, 0);
      bytes.copy(datagram, HEAD_BYTES);
      hmac.sign(datagram, end, TAG_BYTES);
      inFlight += 1;
      udp.send(datagram, receiverUdp, HOST);
    }
  };
  udp.on('message', () => {
    inFlight -= 1;
    pump();
  });
  createServer({ noDelay: true }, (publisher) => {
    const pair = pairs++;
    publisher.on('data', (chunk) => {
      for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
        waiting.push({ pair, bytes: chunk.subarray(at, at + PIECE_BYTES) });
      }
      pump();
    });
  }).listen(senderTcp, HOST);
}

/** Gives subscribers what arrives. */
function receive(): void {
  const subscribers: Socket[] = [];
  const udp = createSocket('udp4').bind(receiverUdp, HOST, () => {
    udp.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
  });
  udp.on('message', (datagram) => {
    const end = datagram.length - TAG_BYTES;
    if (!hmac.verify(datagram, end)) throw new Error('a datagram with a wrong MAC');
    udp.send(ACK, senderUdp, HOST);
    subscribers[datagram.readUInt32BE(0)]?.write(datagram.subarray(HEAD_BYTES, end));
  });
  createServer({ noDelay: true }, (subscriber) => subscribers.push(subscriber)).listen(
    receiverTcp,
    HOST,
  );
}

/** @param window messages of each pair, between publisher and subscriber */
async function measure(messageBytes: number, window: number): Promise<void> {
  const free = [await freePort(), await freePort(), await freePort(), await freePort()].map(String);
  const nodes = ['sender', 'receiver'].map((name) => {
    const program = [process.execPath, '--import', 'tsx', import.meta.filename, name, ...free];
    return spawn('taskset', ['-c', String(BROKER_CORE), ...program], { stdio: 'inherit' });
  });
  let bytes = 0;
  const batch = Buffer.alloc(window * messageBytes, 'x');
  for (let pair = 0; pair < PAIRS; pair++) {
    const publisher = await open(Number(free[0]));
    const subscriber = await open(Number(free[1]));
    let got = 0;
    subscriber.on('data', (chunk) => {
      bytes += chunk.length;
      got += chunk.length;
      for (; got >= batch.length; got -= batch.length) publisher.write(batch);
    });
    publisher.write(batch);
  }
  const cpu = (): number => nodes.reduce((sum, { pid = 0 }) => sum + cpuSeconds(pid), 0);
  await delay(SETTLE_MS);
  const [bytesBefore, cpuBefore, startedAt] = [bytes, cpu(), performance.now()];
  await delay(MEASURE_MS);
  const messages = (bytes - bytesBefore) / messageBytes;
  const rate = messages / ((performance.now() - startedAt) / 1000);
  const each = ((cpu() - cpuBefore) / messages) * 1e6;
  console.log(`${Math.round(rate)} messages/s, ${each.toFixed(2)} us of both processes for each`);
  for (const node of nodes) node.kill();
  process.exit(0);
}

/** Connects once something listens. */
async function open(port: number): Promise<Socket> {
  for (;;) {
    const socket = connect({ host: HOST, port, noDelay: true });
    const isOpen = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    if (isOpen) return socket;
    await delay(50);
  }
}
