// Messages a second over a bridge, beside a pair of mosquittos in the same run: a publisher at one broker,
// a subscriber at the other, and a window between them so that nothing is lost. The brokers of a pair run
// on one core, the load on the other.
// `npm run build && node --import tsx test/bench/bridge.ts [seconds] [rounds]`

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { BUNDLE } from '../support/shoal-process.ts';
import * as wire from '../support/wire.ts';

const [seconds = 3, rounds = 3] = process.argv.slice(2).map(Number);
const WINDOW = 2000;
const PAYLOAD = 'x'.repeat(64);
const folder = mkdtempSync(join(tmpdir(), 'shoal-bench-'));
const children: ChildProcess[] = [];

type Kind = 'mosquitto' | 'shoal';

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}

function start(kind: Kind, port: number, bridge: string, qos: number): void {
  const file = join(folder, `${port}.conf`);
  if (kind === 'mosquitto') {
    const text = `listener ${port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 1000\n`;
    const part = `connection b\naddress 127.0.0.1:${bridge}\ntopic # out ${qos}\nbridge_protocol_version mqttv311\nnotifications false\n`;
    writeFileSync(file, text + (bridge === '' ? '' : part));
    spawnPinned('mosquitto', ['-c', file]);
    return;
  }
  const part = `[[bridge]]\nname = "b"\naddress = "mqtt://127.0.0.1:${bridge}"\ntopics = ["# out ${qos}"]\nmax-inflight-messages = 1000\n`;
  const head = `anonymous = true\nlog-level = "error"\nmax-queued-messages = 0\nmax-inflight-messages = 1000\nreceive-maximum = 1000\n[[listener]]\nport = ${port}\nbind = "127.0.0.1"\n`;
  writeFileSync(file, head + (bridge === '' ? '' : part));
  spawnPinned(process.execPath, [BUNDLE, `-config=${file}`]);
}

function spawnPinned(command: string, flags: readonly string[]): void {
  const env = { ...process.env, SHOAL_HTTP: 'off', SHOAL_CONTROL: 'off' };
  children.push(spawn('taskset', ['-c', '0', command, ...flags], { stdio: 'ignore', env }));
}

async function open(port: number, clientId: string): Promise<Socket> {
  for (let tries = 0; ; tries++) {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    const isOpen = await new Promise<boolean>((done) => {
      socket.once('connect', () => done(true));
      socket.once('error', () => done(false));
    });
    if (isOpen) {
      socket.write(wire.connect({ version: 4, clientId, clean: true }));
      await new Promise((done) => socket.once('data', done));
      return socket;
    }
    if (tries > 100) throw new Error(`nothing listens on ${port}`);
    await delay(50);
  }
}

/** @returns messages a second that arrive behind the bridge */
async function measure(near: Kind, far: Kind, qos: 0 | 1): Promise<number> {
  const [nearPort, farPort] = [await freePort(), await freePort()];
  start(far, farPort, '', qos);
  const subscriber = await open(farPort, 'sub');
  subscriber.write(wire.subscribe(4, 1, [{ filter: '#', qos: 0 }]));
  await new Promise((done) => subscriber.once('data', done));
  start(near, nearPort, `${farPort}`, qos);
  const publisher = await open(nearPort, 'pub');
  publisher.on('data', () => undefined);
  await delay(2000);
  const packet = wire.publish(4, { topic: 'bench/t', payload: PAYLOAD, qos, id: 1 });
  const out = wire.publish(4, { topic: 'bench/t', payload: PAYLOAD, qos: 0, id: 0 });
  let [sent, bytes, nextId] = [0, 0, 1];
  const send = (): void => {
    const room = WINDOW - (sent - Math.floor(bytes / out.length));
    if (room < 100) return;
    const batch = Buffer.alloc(room * packet.length);
    for (let n = 0; n < room; n++) {
      packet.copy(batch, n * packet.length);
      if (qos === 1) {
        nextId = (nextId % 60_000) + 1;
        batch.writeUInt16BE(nextId, n * packet.length + 2 + 2 + 7);
      }
    }
    sent += room;
    publisher.write(batch);
  };
  subscriber.on('data', (chunk) => {
    bytes += chunk.length;
    send();
  });
  send();
  await delay(1000);
  const [startedAt, before] = [performance.now(), bytes];
  await delay(seconds * 1000);
  const rate = (bytes - before) / out.length / ((performance.now() - startedAt) / 1000);
  for (const socket of [subscriber, publisher]) socket.destroy();
  for (const child of children.splice(0)) child.kill('SIGKILL');
  return rate;
}

const pairs: readonly (readonly [Kind, Kind])[] = [
  ['mosquitto', 'mosquitto'],
  ['shoal', 'mosquitto'],
  ['shoal', 'shoal'],
];
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});
for (const qos of [0, 1] as const) {
  const rates = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    for (const [near, far] of pairs) {
      const name = `${near} to ${far}`;
      rates.set(name, [...(rates.get(name) ?? []), await measure(near, far, qos)]);
    }
  }
  const median = (name: string): number => rates.get(name)!.toSorted((a, b) => a - b)[rounds >> 1]!;
  const base = median('mosquitto to mosquitto');
  for (const name of rates.keys()) {
    const rate = median(name);
    console.log(
      `QoS ${qos} ${name.padEnd(24)} ${Math.round(rate)} messages/s, ${(rate / base).toFixed(1)}`,
    );
  }
}
