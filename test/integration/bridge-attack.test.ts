// A far side that means harm, against the built bundle: floods, packets without end, retained messages
// without number, topics that no rule allows. The node keeps its memory, and its own clients their service.

import assert from 'node:assert/strict';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import * as wire from '../support/wire.ts';
import { type Node, type Scenario, scenario } from './support/scenario.ts';

const MIB = 1024 * 1024;
/** Before MQTT 5 a far side knows no largest packet. */
const PLAIN_CONNACK = Buffer.from([0x20, 2, 0, 0]);

/** A far side that accepts, and then does as it likes. @returns its port */
async function farSide(attack: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      socket.write(PLAIN_CONNACK);
      socket.resume();
      attack(socket);
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  server.unref();
  return (server.address() as AddressInfo).port;
}

/** Writes as fast as the other side reads. @param next undefined: nothing more */
function pour(socket: Socket, next: () => Buffer | undefined): void {
  for (;;) {
    const bytes = socket.destroyed ? undefined : next();
    if (bytes === undefined) return;
    if (!socket.write(bytes)) break;
  }
  socket.once('drain', () => pour(socket, next));
}

/** A node with a bridge from this far side. */
async function attacked(
  scene: Scenario,
  attack: (socket: Socket) => void,
  ...flags: string[]
): Promise<Node> {
  const port = await farSide(attack);
  const keys = [
    'name = "hq"',
    `address = "mqtt://127.0.0.1:${port}"`,
    'topics = ["down/# in 1"]',
    'protocol = "3.1.1"',
    'run-on = "each"',
  ];
  const file = scene.file('attacked.toml', `[[bridge]]\n${keys.join('\n')}\n`);
  const near = await scene.startLocal('near', `-config=${file}`, ...flags);
  await near.process.waitFor(/bridge connected/, 20_000);
  return near;
}

/** Messages of a client of the node arrive, whatever the far side does. */
async function checkService(scene: Scenario, near: Node): Promise<void> {
  const client = await scene.client(near);
  await client.subscribe('own/#', 1);
  for (let n = 0; n < 20; n++) {
    await client.publish('own/t', `${n}`, { qos: 1 });
    await client.arrival('own/t', ({ text }) => text === `${n}`);
  }
  await client.end();
}

async function until(isDone: () => boolean): Promise<void> {
  while (!isDone()) await new Promise((done) => setTimeout(done, 20));
}

scenario('a flood of a far side takes neither memory nor the service of others', async (scene) => {
  let sent = 0;
  const one = wire.publish(4, { topic: 'down/t', payload: 'x'.repeat(100) });
  const many = Buffer.concat(Array.from({ length: 500 }, () => one));
  const near = await attacked(scene, (socket) =>
    pour(socket, () => {
      sent += 500;
      return many;
    }),
  );
  await checkService(scene, near);
  const before = near.process.residentBytes();
  const mark = sent;
  await until(() => sent >= mark + 200_000);
  await checkService(scene, near);
  const grown = near.process.residentBytes() - before;
  assert.ok(grown < 150 * MIB, `${Math.round(grown / MIB)} MiB more`);
});

scenario('a packet of 200 MB before MQTT 5 is dropped as it arrives', async (scene) => {
  let left = 200_000_000;
  const head = Buffer.from([0x32, 0, 0, 0, 0, 0, 6, ...Buffer.from('down/t'), 0, 9]);
  for (let at = 1, length = left + head.length - 5; at < 5; at++, length >>= 7) {
    head[at] = (length & 127) | (at < 4 ? 128 : 0);
  }
  const chunk = Buffer.alloc(MIB, 'x');
  let isAcknowledged = false;
  const near = await attacked(scene, (socket) => {
    socket.on('data', (data) => {
      isAcknowledged ||= data.includes(Buffer.from([0x40, 2, 0, 9]));
    });
    socket.write(head);
    pour(socket, () => {
      const part = chunk.subarray(0, left);
      left -= part.length;
      return part.length === 0 ? undefined : part;
    });
  });
  await until(() => isAcknowledged && left === 0);
  await near.process.waitFor(/message of the far side is not taken.*larger than max-packet-size/);
  await checkService(scene, near);
  const resident = near.process.residentBytes();
  assert.ok(resident < 200 * MIB, `${Math.round(resident / MIB)} MiB`);
});

scenario('retained messages of a far side stop at the memory of the node', async (scene) => {
  const wanted = 100_000;
  let sent = 0;
  const near = await attacked(
    scene,
    (socket) =>
      pour(socket, () => {
        if (sent >= wanted) return undefined;
        const batch = Array.from({ length: 100 }, () => {
          sent += 1;
          const payload = 'x'.repeat(1000);
          return wire.publish(4, { topic: `down/${sent}`, payload, retain: true });
        });
        return Buffer.concat(batch);
      }),
    '-memory-limit=20M',
  );
  await until(() => sent >= wanted);
  await checkService(scene, near);
  const client = await scene.client(near);
  await client.publish('own/state', 'on', { qos: 1, retain: true });
  const reader = await scene.client(near);
  await reader.subscribe('own/state', 1);
  await reader.arrival('own/state', ({ text }) => text === 'on');
  await reader.subscribe('down/#', 0);
  await reader.arrival('down/1');
  await checkService(scene, near);
  assert.ok(reader.arrivals.length < 20_000, `${reader.arrivals.length} are retained`);
});

scenario('topics that no rule allows do not enter', async (scene) => {
  const near = await attacked(scene, (socket) => {
    for (const topic of ['other/t', '$SYS/broker/uptime', '$share/g/t', 'downer']) {
      socket.write(wire.publish(4, { topic, payload: 'forged', qos: 1, id: 7, retain: true }));
    }
    socket.write(
      wire.publish(4, { topic: 'down/t', payload: 'last', qos: 1, id: 8, retain: true }),
    );
  });
  const client = await scene.client(near);
  await client.subscribe('#', 1);
  await client.subscribe('$SYS/broker/uptime', 1);
  await client.arrival('down/t', ({ text }) => text === 'last');
  assert.deepEqual(
    client.arrivals.filter(({ text }) => text === 'forged'),
    [],
  );
  await near.process.waitFor(/message of the far side is not taken.*no rule for its topic/);
});
