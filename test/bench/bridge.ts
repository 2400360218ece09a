// Messages a second over a bridge, beside a pair of mosquittos in the same run: a publisher at one broker,
// a subscriber at the other, and a window between them so that nothing is lost. The brokers of a pair run
// on one core, the load on the other. Where a far side is the limit, its core is busy: so each bridge also
// runs to a sink (bridge-sink.c, needs cc) that only reads, acknowledges and counts, on the core of the load.
// `npm run build && node --import tsx test/bench/bridge.ts [seconds] [rounds]`

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
type FarKind = Kind | 'sink';

const sink = join(folder, 'sink');
execFileSync('cc', ['-O2', '-o', sink, 'test/bench/bridge-sink.c']);

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
    const text = `listener ${port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nmax_queued_messages 0\nmax_inflight_messages 1000\n`;
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

/** Counts what arrives at the far side of a bridge. */
interface Far {
  arrived: number;
  onArrival: () => void;
  close(): void;
}

function openSink(port: number): Far {
  const child = spawn('taskset', ['-c', '1', sink, `${port}`], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  children.push(child);
  const far: Far = { arrived: 0, onArrival: () => undefined, close: () => undefined };
  child.stdout.on('data', (chunk: Buffer) => {
    far.arrived = Number(chunk.toString().trimEnd().split('\n').at(-1));
    far.onArrival();
  });
  return far;
}

/** A broker with a subscriber. @param bytes of a packet that arrives there */
async function openBroker(kind: Kind, port: number, bytes: number): Promise<Far> {
  start(kind, port, '', 0);
  const subscriber = await open(port, 'sub');
  subscriber.write(wire.subscribe(4, 1, [{ filter: '#', qos: 0 }]));
  await new Promise((done) => subscriber.once('data', done));
  const far: Far = {
    arrived: 0,
    onArrival: () => undefined,
    close: () => subscriber.destroy(),
  };
  let received = 0;
  subscriber.on('data', (chunk) => {
    received += chunk.length;
    far.arrived = Math.floor(received / bytes);
    far.onArrival();
  });
  return far;
}

/** CPU seconds of these processes so far, by Linux. */
function cpuSeconds(processes: readonly ChildProcess[]): number[] {
  return processes.map(({ pid }) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  });
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

interface Result {
  readonly rate: number;
  /** Of one core, of the near and the far side. */
  readonly busy: readonly number[];
}

/** Messages a second that arrive behind the bridge. */
async function measure(near: Kind, farKind: FarKind, qos: 0 | 1): Promise<Result> {
  const [nearPort, farPort] = [await freePort(), await freePort()];
  const packet = wire.publish(4, { topic: 'bench/t', payload: PAYLOAD, qos, id: 1 });
  const out = wire.publish(4, { topic: 'bench/t', payload: PAYLOAD, qos: 0, id: 0 });
  const far =
    farKind === 'sink' ? openSink(farPort) : await openBroker(farKind, farPort, out.length);
  start(near, nearPort, `${farPort}`, qos);
  const publisher = await open(nearPort, 'pub');
  publisher.on('data', () => undefined);
  // The bridge connects in its own time, and QoS 0 does not wait for it.
  while (far.arrived === 0) {
    publisher.write(packet);
    await delay(200);
  }
  await delay(1000);
  let [sent, nextId] = [far.arrived, 1];
  far.onArrival = () => {
    const room = WINDOW - (sent - far.arrived);
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
  far.onArrival();
  await delay(1000);
  const [startedAt, before] = [performance.now(), far.arrived];
  const cpu = cpuSeconds(children);
  await delay(seconds * 1000);
  const passed = (performance.now() - startedAt) / 1000;
  const rate = (far.arrived - before) / passed;
  const busy = cpuSeconds(children).map((after, index) => (after - cpu[index]!) / passed);
  far.close();
  publisher.destroy();
  for (const child of children.splice(0)) child.kill('SIGKILL');
  return { rate, busy: busy.reverse() };
}

const pairs: readonly (readonly [Kind, FarKind])[] = [
  ['mosquitto', 'mosquitto'],
  ['shoal', 'mosquitto'],
  ['shoal', 'shoal'],
  ['mosquitto', 'sink'],
  ['shoal', 'sink'],
];
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

for (const qos of [0, 1] as const) {
  const results = new Map<string, Result[]>();
  for (let round = 0; round < rounds; round++) {
    for (const [near, far] of pairs) {
      const name = `${near} to ${far}`;
      results.set(name, [...(results.get(name) ?? []), await measure(near, far, qos)]);
    }
  }
  const rateOf = (name: string): number => middle(results.get(name)!.map(({ rate }) => rate));
  for (const [name, measured] of results) {
    const rate = rateOf(name);
    const base = rateOf(name.endsWith('sink') ? 'mosquitto to sink' : 'mosquitto to mosquitto');
    const busy = [0, 1].map((side) => middle(measured.map((one) => one.busy[side]!)));
    const shown = busy.map((share) => `${Math.round(100 * share)} %`).join(', ');
    console.log(
      `QoS ${qos} ${name.padEnd(24)} ${Math.round(rate)} messages/s, ${(rate / base).toFixed(1)}; busy near, far: ${shown}`,
    );
  }
}
