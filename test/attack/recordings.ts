// What a stranger without the token can do to the gossip port of the built bundle with datagrams that he
// recorded or forged: CPU of the node for each of them, and bytes that it answers. Datagrams go out as
// fast as the rate below, from another process; the figures are those of the node.
//   npm run build && node --import tsx test/attack/recordings.ts

import { spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { deriveKeyRing } from '../../src/shared/key-ring.ts';
import { BodyWriter, decodeMessage, type MessageKind } from '../../src/swim/codec.ts';
import type { MemberRecord } from '../../src/swim/record.ts';
import { forgedDatagram } from '../support/forged-datagram.ts';

const SHOAL = fileURLToPath(new URL('../../dist/shoal.js', import.meta.url));
const TOKEN = 'LttnJgMpAP0HdWTY2bw0';
const PER_TURN = 50;
const TURN_MS = 5;
const SECONDS = 4;
const TICKS_PER_SECOND = 100;
const { gossip: keys } = await deriveKeyRing([TOKEN], 'shoal');

const socket = dgram.createSocket('udp4');
socket.bind(0, '127.0.0.1');
await once(socket, 'listening');
let answered = 0;
let lastNonce = 0n;
socket.on('message', (datagram) => {
  answered += datagram.length;
  const message = decodeMessage(datagram.subarray(24, -16));
  if (message?.kind === 'challenge') lastNonce = message.tableHash;
});

/** A port that is free for UDP and, most likely, for TCP. */
async function freePort(): Promise<number> {
  const probe = dgram.createSocket('udp4');
  probe.bind(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port: free } = probe.address();
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  return free;
}

const port = await freePort();
const gossipPort = await freePort();
const node = spawn(
  process.execPath,
  [
    ...[SHOAL, '-nid=n1', `-csk=${TOKEN}`, `-port=${port}`, `-crp=${gossipPort}`],
    ...[`-csp=${await freePort()}`, '-bind=127.0.0.1', '-anonymous=true', '-log-level=error'],
  ],
  { stdio: 'ignore' },
);
await sleep(2000);

function cpuSeconds(): number {
  const fields = readFileSync(`/proc/${node.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function ownRecord(bootId: bigint, incarnation: number): MemberRecord {
  const { address, port: from } = socket.address();
  const metadata = Buffer.from([1, 2, 0x1f, 0x0b]);
  const detail = { address, port: from, isAdvertised: false, metadata, ageMs: 5 };
  return { name: 'n2', bootId, incarnation, state: 'alive', detail };
}

function ping(
  bootId: bigint,
  counter: number,
  incarnation = 0,
  add: (writer: BodyWriter) => void = () => undefined,
): Buffer {
  const kind: MessageKind = 'ping';
  const head = { kind, isIndirect: false, isLast: false, incarnation, sequence: 9 };
  const writer = new BodyWriter({ ...head, tableHash: 0n }, 1160);
  add(writer);
  writer.nonce(7n);
  writer.record(ownRecord(bootId, incarnation));
  return forgedDatagram(keys, bootId, counter, writer.finish());
}

async function send(datagram: Buffer): Promise<void> {
  socket.send(datagram, gossipPort, '127.0.0.1');
  await sleep(50);
}

/** A process of the name n2 joins. @returns the datagram that proved it */
async function join(bootId: bigint, incarnation: number): Promise<Buffer> {
  await send(ping(bootId, 1, incarnation));
  const proof = ping(bootId, 2, incarnation, (writer) => writer.echo(lastNonce));
  await send(proof);
  return proof;
}

async function flood(what: string, datagram: Buffer): Promise<void> {
  const before = { cpu: cpuSeconds(), answered };
  let sent = 0;
  for (let turn = 0; turn < (SECONDS * 1000) / TURN_MS; turn++) {
    for (let i = 0; i < PER_TURN; i++) socket.send(datagram, gossipPort, '127.0.0.1');
    sent += PER_TURN;
    await sleep(TURN_MS);
  }
  await sleep(300);
  const cpuUs = ((cpuSeconds() - before.cpu) / sent) * 1e6;
  const ratio = (answered - before.answered) / (sent * datagram.length);
  process.stdout.write(
    `${what.padEnd(52)} ${cpuUs.toFixed(1).padStart(6)} us each, answered ${ratio.toFixed(2)} times its length\n`,
  );
}

const oldProof = await join(2n, 0);
await join(3n, 1);
const forged = ping(9n, 1);
forged[30]! ^= 1;
const encrypted = Buffer.from(forged);
encrypted[3] = 1;
await flood('forged, which every node must verify', forged);
await flood('forged, with the flag "encrypted"', encrypted);
await flood('a recorded ping of a process that ended long ago', ping(8n, 5));
await flood('a recorded proof of a process that restarted since', oldProof);
node.kill();
socket.close();
