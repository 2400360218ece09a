// Measures what a flood of forged datagrams on the sync port does to a node's own clients. The forger
// knows the key id and the boot id of a real peer, so the node verifies the MAC of every datagram. As a
// control, the same flood goes to a port of the benchmark, which shows its cost to the machine alone.
//   node --import tsx test/bench/flood.ts [seconds]

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ENVELOPE_HEADER_BYTES } from '../../src/shared/envelope.ts';
import { deriveKeyRing } from '../../src/shared/key-ring.ts';
import { freePort, type RunningBroker, startBroker, untilJoined } from './cluster/brokers.ts';
import { BROKER_CORE, LOAD_CORE, type Measured, runLoad } from './cluster/run-load.ts';

const SHOAL = fileURLToPath(new URL('../../dist/shoal.js', import.meta.url));
const TOKEN = 'benchmark';
const seconds = Number(process.argv[2] ?? 4);
const FORGERIES = 200;

const sniffer = dgram.createSocket('udp4');
sniffer.bind(0, '127.0.0.1');
await once(sniffer, 'listening');

/** Gossips with the other node and with our sniffer, which learns the boot id from it. */
async function startNode(
  name: string,
  ports: { gossip: number; sync: number; seed: number },
  core: number,
): Promise<RunningBroker> {
  const port = await freePort();
  const seeds = `127.0.0.1:${ports.seed},127.0.0.1:${sniffer.address().port}`;
  const args = [
    ...[SHOAL, `-nid=${name}`, `-csk=${TOKEN}`, `-mbs=${seeds}`, `-port=${port}`],
    ...[`-crp=${ports.gossip}`, `-csp=${ports.sync}`, '-bind=127.0.0.1', '-log-level=error'],
  ];
  return startBroker(process.execPath, args, { port, core });
}

function forgeries(header: Buffer, bytes: number): Buffer {
  const parts: Buffer[] = [];
  for (let i = 0; i < FORGERIES; i++) {
    const datagram = Buffer.concat([header, randomBytes(bytes - header.length)]);
    datagram.writeUInt32BE(0, 16);
    datagram.writeUInt32BE(1_000_000 + i, 20);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(bytes);
    parts.push(length, datagram);
  }
  return Buffer.concat(parts);
}

async function underFlood(
  target: number | undefined,
  file: string,
  run: () => Promise<Measured>,
): Promise<{ measured: Measured; perSecond: number }> {
  if (target === undefined) return { measured: await run(), perSecond: 0 };
  const path = fileURLToPath(new URL('./cluster/flooder.ts', import.meta.url));
  const command = ['-c', String(LOAD_CORE), process.execPath, '--import', 'tsx', path];
  const flooder = spawn('taskset', [...command, String(target), file], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const from = performance.now();
  const measured = await run();
  const counted = once(flooder, 'message');
  flooder.kill('SIGTERM');
  const [sent] = await counted;
  return { measured, perSecond: sent / ((performance.now() - from) / 1000) };
}

const gossipPorts = [await freePort(), await freePort()] as const;
const syncPorts = [await freePort(), await freePort()] as const;
const seen = once(sniffer, 'message');
const forged = await startNode(
  'peer',
  { gossip: gossipPorts[0], sync: syncPorts[0], seed: gossipPorts[1] },
  LOAD_CORE,
);
const [fromPeer] = (await seen) as [Buffer];
const victim = await startNode(
  'victim',
  { gossip: gossipPorts[1], sync: syncPorts[1], seed: gossipPorts[0] },
  BROKER_CORE,
);
const folder = mkdtempSync(join(tmpdir(), 'flood-'));
const sink = dgram.createSocket('udp4');
try {
  await untilJoined(forged, victim);
  sink.bind({ port: 0, address: '127.0.0.1' });
  await once(sink, 'listening');
  const keys = (await deriveKeyRing([TOKEN], 'shoal')).sync;
  const header = Buffer.from(fromPeer.subarray(0, ENVELOPE_HEADER_BYTES));
  header.writeUInt32BE(keys.signing.id, 4);
  const load = (pace: { rate: number } | { window: number }): Promise<Measured> =>
    runLoad(
      {
        version: 4,
        qos: 0,
        payloadBytes: 64,
        publishers: Array.from({ length: 10 }, (_, i) => ({
          host: victim.host,
          port: victim.port,
          topic: `bench/${i}`,
        })),
        subscribers: Array.from({ length: 10 }, (_, i) => ({
          host: victim.host,
          port: victim.port,
          filter: `bench/${i}`,
        })),
        copies: 1,
        pace,
        warmupSeconds: 1,
        seconds,
      },
      [victim.pid],
    );
  const target = {
    nothing: undefined,
    'another port': sink.address().port,
    'the sync port': syncPorts[1],
  };
  for (const bytes of [100, 1400]) {
    const file = join(folder, `${bytes}`);
    writeFileSync(file, forgeries(header, bytes));
    for (const [name, port] of Object.entries(target)) {
      const calm = await underFlood(port, file, () => load({ rate: 2000 }));
      const busy = await underFlood(port, file, () => load({ window: 100 }));
      console.log(
        `flood of ${bytes} B on ${name.padEnd(15)} ${Math.round(calm.perSecond / 1000)
          .toString()
          .padStart(
            4,
          )},000/s   own clients at 2,000/s: p50 ${calm.measured.latencyUs.p50} us, p99 ${calm.measured.latencyUs.p99} us;` +
          ` as fast as they can: ${Math.round(busy.measured.received / busy.measured.seconds).toLocaleString('en')}/s`,
      );
    }
  }
} finally {
  sniffer.close();
  sink.close();
  rmSync(folder, { recursive: true });
  await forged.stop();
  await victim.stop();
}
