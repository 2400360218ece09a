// Measures how long CONNACK takes when a client resumes its session on the other node (-roaming), beside
// the same where the session is on the node already: two real nodes on loopback, without and with -data.
// `npm run build && node --import tsx test/integration/measure-roaming.ts [moves] [queued messages ...]`

import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { IClientOptions } from 'mqtt';
import { loopbackFlags, ShoalProcess } from '../support/shoal-process.ts';
import { TestClient } from './support/test-client.ts';

const [moves = 20, ...counts] = process.argv.slice(2).map(Number);
const session: IClientOptions = {
  clientId: 'device',
  clean: false,
  properties: { sessionExpiryInterval: 3600 },
};

interface Box {
  readonly process: ShoalProcess;
  readonly port: number;
}

async function start(name: string, ...flags: string[]): Promise<Box> {
  const shoal = new ShoalProcess(
    loopbackFlags(name, '-csk=bench-token', '-roaming', '-sys-interval=1', ...flags),
  );
  return { process: shoal, port: Number(await shoal.mqttPort()) };
}

function open({ port }: Box, options?: IClientOptions): Promise<TestClient> {
  return TestClient.connect(() => connect({ host: '127.0.0.1', port }), options);
}

/** Resolves when the node can fetch sessions of the other one. */
async function reachesPeer(box: Box): Promise<void> {
  const client = await open(box);
  await client.subscribe('$SYS/broker/cluster/bulk/connected');
  await client.arrival('$SYS/broker/cluster/bulk/connected', ({ text }) => text === '1');
  await client.end();
}

/** Queues messages on the node that has the session, then resumes it on `to`. @returns ms to CONNACK */
async function resume(publisher: TestClient, to: Box, count: number): Promise<number> {
  const payload = 'x'.repeat(100);
  const queued = Array.from({ length: count }, () =>
    publisher.publish('to/device', payload, { qos: 1 }),
  );
  await Promise.all(queued);
  const begin = performance.now();
  const client = await open(to, session);
  const took = performance.now() - begin;
  if (!client.sessionPresent) throw new Error('the session is not there');
  await client.until(() => client.arrivals.length >= count, `${count} messages`);
  await client.end();
  return took;
}

function describe(times: number[]): string {
  times.sort((a, b) => a - b);
  const [median, longest] = [times[times.length >> 1]!, times.at(-1)!];
  return `median ${median.toFixed(1)} ms, longest ${longest.toFixed(1)} ms`;
}

async function measure(boxes: readonly [Box, Box], count: number, what: string): Promise<void> {
  const publishers = [await open(boxes[0]), await open(boxes[1])] as const;
  const first = await open(boxes[0], { ...session, clean: true });
  await first.subscribe('to/device', 1);
  await first.end();
  const [here, moved]: [number[], number[]] = [[], []];
  for (let move = 0; move < moves; move++) {
    const at = (move % 2) as 0 | 1;
    here.push(await resume(publishers[at], boxes[at], count));
    moved.push(await resume(publishers[at], boxes[1 - at]!, count));
  }
  console.log(`${what}, ${count} messages of 100 bytes queued, ${moves} moves:`);
  console.log(`  session on this node: ${describe(here)}`);
  console.log(`  session on the other node: ${describe(moved)}`);
  await Promise.all(publishers.map((client) => client.end()));
}

const folder = mkdtempSync(join(tmpdir(), 'shoal-roaming-'));
const running: Box[] = [];
try {
  for (const what of ['without -data', 'with -data']) {
    const data = (name: string): string[] =>
      what === 'with -data' ? [`-data=${join(folder, name)}`] : [];
    const one = await start('n1', ...data('n1'));
    running.push(one);
    const two = await start('n2', `-mbs=${await one.process.gossipAddress()}`, ...data('n2'));
    running.push(two);
    await Promise.all([one, two].map(reachesPeer));
    for (const count of counts.length > 0 ? counts : [10, 1000]) {
      await measure([one, two], count, what);
    }
    await Promise.all(running.splice(0).map(({ process: shoal }) => shoal.stop()));
  }
} finally {
  await Promise.all(running.map(({ process: shoal }) => shoal.kill()));
  rmSync(folder, { recursive: true, force: true });
}
