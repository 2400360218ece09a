// A bridge through an outage: messages of QoS 1 wait with -data while the far side is away, and leave when it
// is back. Prints the memory while they come, wait and leave, and checks that each arrives once, in order.
// `npm run build && node --import tsx test/bench/bridge-outage.ts [messages]`

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { BUNDLE } from '../support/shoal-process.ts';
import * as wire from '../support/wire.ts';

const count = Number(process.argv[2] ?? 1_000_000);
const [NEAR, FAR] = [18_861, 18_862];
const TOPICS = 10;
const WINDOW = 1000;
const BATCH = 100;
const folder = mkdtempSync(join(tmpdir(), 'shoal-outage-'));
const children: ChildProcess[] = [];
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

function start(name: string, text: string): ChildProcess {
  const file = join(folder, `${name}.toml`);
  writeFileSync(
    file,
    `anonymous = true\nlog-level = "error"\nhttp = "off"\ncontrol = "off"\n${text}`,
  );
  const child = spawn(process.execPath, [BUNDLE, `-config=${file}`], { stdio: 'inherit' });
  children.push(child);
  return child;
}

async function open(port: number): Promise<Socket> {
  for (;;) {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    const isOpen = await new Promise<boolean>((done) => {
      socket.once('connect', () => done(true));
      socket.once('error', () => done(false));
    });
    if (isOpen) {
      socket.write(wire.connect({ version: 4, clientId: 'load', clean: true }));
      await new Promise((done) => socket.once('data', done));
      return socket;
    }
    await delay(100);
  }
}

const near = start(
  'near',
  `port = ${NEAR}\ndata = "${folder}/near"\nqueue-memory = "1G"\nmemory-limit = "2G"\nmax-inflight-messages = ${WINDOW}\nreceive-maximum = ${WINDOW}\n` +
    `[[bridge]]\nname = "b"\naddress = "mqtt://127.0.0.1:${FAR}"\ntopics = ["t/# out 1"]\nclient-id = "x"\n` +
    'max-queued-messages = 0\nmax-queued-bytes = 0\nmax-inflight-messages = 1000\nreconnect-max = "1s"\n',
);

function report(what: string): void {
  const status = readFileSync(`/proc/${near.pid}/status`, 'latin1');
  const kilobytes = Number(/VmRSS:\s+(\d+)/.exec(status)![1]);
  console.log(`${what}: ${Math.round(kilobytes / 1000)} MB resident`);
}

const publisher = await open(NEAR);
let [sent, acknowledged] = [0, 0];
await new Promise<void>((done) => {
  const send = (): void => {
    while (sent < count && sent - acknowledged <= WINDOW - BATCH) {
      const batch = Array.from({ length: Math.min(BATCH, count - sent) }, () => {
        sent += 1;
        const payload = `${sent}`.padEnd(64, '.');
        const id = (sent % WINDOW) + 1;
        return wire.publish(4, { topic: `t/${sent % TOPICS}`, payload, qos: 1, id });
      });
      publisher.write(Buffer.concat(batch));
    }
  };
  let bytes = 0;
  publisher.on('data', (chunk) => {
    bytes += chunk.length;
    acknowledged = Math.floor(bytes / 4);
    if (acknowledged === count) done();
    else send();
  });
  send();
});
report(`${count} messages acknowledged and waiting`);
await delay(20_000);
report('20 s later');
start('far', `port = ${FAR}\nmax-queued-messages = 0\n`);
const subscriber = await open(FAR);
subscriber.write(wire.subscribe(4, 1, [{ filter: '#', qos: 0 }]));
const startedAt = performance.now();
const seen = new Uint8Array(count + 1);
const last = new Uint32Array(TOPICS);
let [arrived, twice, outOfOrder] = [0, 0, 0];
let rest = Buffer.alloc(0);
const packetBytes = wire.publish(4, { topic: 't/0', payload: ' '.repeat(64) }).length;
subscriber.on('data', (chunk) => {
  rest = Buffer.concat([rest, chunk]);
  if (rest[0] === 0x90) rest = rest.subarray(5);
  let at = 0;
  for (; at + packetBytes <= rest.length; at += packetBytes) {
    const number = Number(rest.toString('latin1', at + 7, at + 17).replaceAll('.', ''));
    const topic = number % TOPICS;
    if (seen[number] === 1) twice += 1;
    else arrived += 1;
    seen[number] = 1;
    if (number < last[topic]!) outOfOrder += 1;
    else last[topic] = number;
  }
  rest = rest.subarray(at);
});
while (arrived < count && performance.now() - startedAt < 300_000) await delay(100);
const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
report('all sent');
console.log(
  `${arrived} of ${count} arrived within ${seconds} s; twice ${twice}, out of order ${outOfOrder}`,
);
process.exit(arrived === count && outOfOrder === 0 ? 0 : 1);
