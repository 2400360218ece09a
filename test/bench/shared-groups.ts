// Counts how many jobs of a shared group are done twice or not at all while its members come and go: three
// real nodes on loopback with -shared=cluster, five members, jobs published through all nodes.
// `npm run build && node --import tsx test/bench/shared-groups.ts [jobs] [ms between two moves ...]`

import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import mqtt from 'mqtt';
import { loopbackFlags, ShoalProcess } from '../support/shoal-process.ts';

const NODES = 3;
const MEMBERS = 5;
/** Published at once, then a pause of 1 ms or more. */
const BATCH = 2;
const SETTLE_MS = 2000;
const [jobs = 30_000, ...paces] = process.argv.slice(2).map(Number);

interface Box {
  readonly process: ShoalProcess;
  readonly port: number;
}

const times = new Map<string, number>();

async function startBoxes(): Promise<Box[]> {
  const boxes: Box[] = [];
  let seed: string | undefined;
  for (let n = 1; n <= NODES; n++) {
    const member = seed === undefined ? [] : [`-mbs=${seed}`];
    const shoal = new ShoalProcess(
      loopbackFlags(`n${n}`, '-csk=bench-token', '-shared=cluster', ...member),
    );
    boxes.push({ process: shoal, port: Number(await shoal.mqttPort()) });
    seed ??= await shoal.gossipAddress();
  }
  for (const { process: shoal } of boxes) {
    for (let n = 1; n <= NODES; n++) {
      if (boxes[n - 1]!.process !== shoal)
        await shoal.waitFor(new RegExp(`cluster online n${n}\\b`));
    }
  }
  return boxes;
}

async function open({ port }: Box): Promise<mqtt.MqttClient> {
  const build = () => connect({ host: '127.0.0.1', port });
  const client = new mqtt.MqttClient(build as never, { reconnectPeriod: 0, protocolVersion: 5 });
  // What matters of an error shows in the figures.
  client.on('error', () => undefined);
  await new Promise((done) => client.once('connect', done));
  return client;
}

async function work(box: Box): Promise<mqtt.MqttClient> {
  const client = await open(box);
  client.on('message', (_topic, payload) => {
    const job = payload.toString();
    times.set(job, (times.get(job) ?? 0) + 1);
  });
  await client.subscribeAsync('$share/workers/job/#', { qos: 1 });
  return client;
}

/** Takes what the node has already sent, as a careful worker does. */
async function leave(client: mqtt.MqttClient): Promise<void> {
  await client.unsubscribeAsync('$share/workers/job/#');
  await client.endAsync();
}

/** Moves a member to another node each `paceMs`, 0 for never. @returns a line for the reader */
async function measure(boxes: readonly Box[], paceMs: number): Promise<string> {
  times.clear();
  const sources = await Promise.all(boxes.map(open));
  const members = await Promise.all(
    Array.from({ length: MEMBERS }, (_, n) => work(boxes[n % NODES]!)),
  );
  await delay(SETTLE_MS);
  let isRunning = true;
  let moves = 0;
  const mover = (async () => {
    while (isRunning && paceMs > 0) {
      await delay(paceMs);
      const n = moves % MEMBERS;
      moves += 1;
      await leave(members[n]!);
      members[n] = await work(boxes[Math.floor(Math.random() * NODES)]!);
    }
  })();
  const startedAt = performance.now();
  for (let job = 0; job < jobs; job++) {
    sources[job % NODES]!.publish(`job/${job % 50}`, `${job}`, { qos: 1 });
    if (job % BATCH === BATCH - 1) await delay(1);
  }
  const seconds = (performance.now() - startedAt) / 1000;
  isRunning = false;
  await mover;
  await delay(SETTLE_MS);
  const twice = [...times.values()].filter((count) => count > 1).length;
  const lost = jobs - times.size;
  await Promise.all([...sources, ...members].map((client) => client.endAsync()));
  const rate = Math.round(jobs / seconds);
  return `${jobs} jobs, ${rate}/s, ${moves} moves of a member: ${twice} done twice, ${lost} not done`;
}

const boxes = await startBoxes();
try {
  for (const pace of paces.length > 0 ? paces : [0, 1000, 100]) {
    process.stdout.write(`${await measure(boxes, pace)}\n`);
  }
} finally {
  await Promise.all(boxes.map(({ process: shoal }) => shoal.kill()));
}
