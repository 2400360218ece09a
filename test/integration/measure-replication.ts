// How fast the boxes of a cluster come to hold the same retained values, and what it costs when nothing
// changes: three namespaces, the built bundle, real clients. Needs root, iproute2 and nft.
//
//   npm run build && node --import=tsx test/integration/measure-replication.ts [values]

import type { Network } from '../support/network.ts';
import { threeBoxes } from './support/boxes.ts';
import { type Node, Scenario } from './support/scenario.ts';
import type { TestClient } from './support/test-client.ts';

const VALUES = Number(process.argv[2] ?? 10_000);
const PARTITION_MS = 60_000;
const IDLE_MS = 30_000;
const LIMIT_MS = 120_000;
const ROAMS = 1000;

type Values = Map<string, string>;

/** The values that a client which subscribes now is sent, once they are the expected ones. */
async function holds(scene: Scenario, node: Node, expected: Values): Promise<void> {
  const client = await scene.client(node);
  const wrong = new Set(expected.keys());
  client.mqtt.prependListener('message', (topic, payload) => {
    if (expected.get(topic) === payload.toString()) wrong.delete(topic);
    else wrong.add(topic);
  });
  await client.subscribe('v/#', 0);
  await client.until(() => wrong.size === 0, `${node.name} to hold all values`, LIMIT_MS);
  await client.end();
}

async function write(client: TestClient, prefix: string, count: number): Promise<Values> {
  const values: Values = new Map();
  for (let n = 0; n < count; n++) values.set(`v/${prefix}/${n}`, `${prefix} value ${n}`);
  const options = { retain: true, qos: 1 } as const;
  await Promise.all([...values].map(([topic, value]) => client.publish(topic, value, options)));
  return values;
}

async function timed(what: string, work: () => Promise<void>): Promise<void> {
  const begin = performance.now();
  await work();
  console.log(`${what}: ${((performance.now() - begin) / 1000).toFixed(2)} s`);
}

async function idleTraffic(flags: string[]): Promise<number> {
  const scene = new Scenario();
  try {
    const { network, nodes } = await threeBoxes(scene, { flags: [...flags, '-sys-interval=0'] });
    const client = await scene.client(nodes[0]);
    await write(client, 'idle', 1000);
    await client.end();
    await new Promise((done) => setTimeout(done, 15_000));
    const before = network.sentBytes('box1');
    await new Promise((done) => setTimeout(done, IDLE_MS));
    return ((network.sentBytes('box1') - before) * 1000) / IDLE_MS;
  } finally {
    await scene.end();
  }
}

async function agreement(): Promise<void> {
  const scene = new Scenario();
  try {
    const { network, boxes, nodes } = await threeBoxes(scene);
    const [box1, box2] = nodes;
    const one = await scene.client(box1);
    const values = await write(one, 'first', VALUES);
    await holds(scene, box2, values);
    const current: Node[] = [...nodes];
    for (const [index, box] of boxes.entries()) {
      await current[index]!.process.kill();
      const begin = performance.now();
      const again = scene.startOn(box.name, box.name, box.flags);
      await again.process.waitFor(/Shoal v/);
      const started = performance.now();
      await holds(scene, again, values);
      const [up, all] = [started - begin, performance.now() - begin].map((ms) => ms / 1000);
      console.log(
        `${box.name} after kill -9, without data: MQTT open after ${up!.toFixed(2)} s, ` +
          `${VALUES} values after ${all!.toFixed(2)} s`,
      );
      current[index] = again;
    }
    await partition(scene, network, current, values);
    for (const { name } of boxes) network.lose(name, 20);
    const lossy = await scene.client(current[0]!);
    const more = await write(lossy, 'lossy', 1000);
    for (const [topic, value] of more) values.set(topic, value);
    await timed('1000 values at 20 % loss, until all boxes hold them', async () => {
      for (const node of current) await holds(scene, node, values);
    });
  } finally {
    await scene.end();
  }
}

async function partition(
  scene: Scenario,
  network: Network,
  nodes: readonly Node[],
  values: Values,
): Promise<void> {
  const [box1, box2, box3] = nodes as [Node, Node, Node];
  const [one, three] = await Promise.all([scene.client(box1), scene.client(box3)]);
  network.cut('box3', ['box1', 'box2']);
  await box1.sees('offline', box3, { msMax: 20_000 });
  for (const [topic, value] of await write(one, 'cut-one', 1000)) values.set(topic, value);
  for (const [topic, value] of await write(three, 'cut-three', 1000)) values.set(topic, value);
  await new Promise((done) => setTimeout(done, PARTITION_MS));
  network.heal('box3');
  await timed(`after ${PARTITION_MS / 1000} s of partition, 1000 writes on each side`, async () => {
    for (const node of [box1, box2, box3]) await holds(scene, node, values);
  });
}

async function roaming(): Promise<void> {
  const scene = new Scenario();
  try {
    const nodes = await scene.localCluster(3);
    const watcher = await scene.client(nodes[0]!);
    await watcher.subscribe('device', 1);
    const will = {
      topic: 'device',
      payload: Buffer.from('offline'),
      qos: 1,
      retain: true,
    } as const;
    for (let move = 0; move < ROAMS; move++) {
      const client = await scene.client(nodes[move % 3]!, { clientId: 'device', will });
      await client.publish('device', `online ${move}`, { retain: true, qos: 1 });
    }
    await watcher.arrival('device', ({ text }) => text === `online ${ROAMS - 1}`);
    const dead = watcher.texts('device').filter((text) => text === 'offline').length;
    console.log(`${ROAMS} moves between 3 nodes: declared dead ${dead} times`);
  } finally {
    await scene.end();
  }
}

await agreement();
await roaming();
const without = await idleTraffic(['-retained-sync=off', '-client-takeover=off']);
const withAll = await idleTraffic([]);
console.log(
  `traffic of a quiet node with 1000 values: ${withAll.toFixed(0)} B/s, ` +
    `${without.toFixed(0)} B/s with replication off`,
);
