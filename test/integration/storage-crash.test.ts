// Kills the bundle with kill -9 at random moments while it serves publishers and subscribers, and
// restarts it on the same folder: every QoS 1 and 2 message is delivered in the end and in order, with
// QoS 2 exactly once. SHOAL_CRASHES=100 repeats it a hundred times.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  checkReceived,
  type Link,
  ModelClient,
  type Published,
  type Server,
} from '../support/model-client.ts';
import { seededRandom } from '../support/random.ts';
import { loopbackFlags, ShoalProcess } from '../support/shoal-process.ts';
import * as wire from '../support/wire.ts';

const CRASHES = Number(process.env.SHOAL_CRASHES ?? 8);
const SEED = Number(process.env.SHOAL_FIRST_SEED ?? 1);
const OUTSTANDING_MAX = 50;
const LIFE_MS_MAX = 800;
/** Connections are lost this long after one another at most: by time, since the loop turns fast when nothing comes. */
const LOSS_MS_MAX = 400;
const SETTLE_MS_MAX = 20_000;

const LARGE = Array.from({ length: 16 }, (_, i) =>
  wire.publish(4, { topic: `big/${i}`, payload: 'x'.repeat(100_000), retain: true }),
);

const folder = mkdtempSync(join(tmpdir(), 'shoal-crash-'));
const running = new Set<ShoalProcess>();
let port = 0;
const sockets = new Set<Socket>();
after(async () => {
  for (const socket of sockets) socket.destroy();
  for (const shoal of running) await shoal.kill();
  rmSync(folder, { recursive: true });
});

/** A real port, as the model's clients see it. */
class Port implements Server {
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  connect(clientId: string, fields: wire.ConnectFields): Link {
    const version = fields.version ?? 4;
    const inbox: wire.Packet[] = [];
    const socket = connect(this.#port, '127.0.0.1');
    sockets.add(socket);
    let stream: Buffer = Buffer.alloc(0);
    socket.setNoDelay(true);
    socket.on('data', (chunk) => {
      const { packets, rest } = wire.decode(version, Buffer.concat([stream, chunk]));
      stream = rest;
      inbox.push(...packets);
    });
    // Expected: the test killed the broker.
    socket.on('error', () => undefined);
    socket.write(wire.connect({ ...fields, version, clientId }));
    return {
      inbox,
      send: (bytes) => void socket.write(bytes),
      lose: () => {
        sockets.delete(socket);
        socket.destroy();
      },
    };
  }
}

async function start(clients: readonly ModelClient[]): Promise<ShoalProcess> {
  // No message may be dropped because a queue is full.
  const flags = loopbackFlags('crash', `-data=${folder}`, '-max-queued-messages=1000000');
  const shoal = new ShoalProcess(flags);
  running.add(shoal);
  port = await shoal.mqttPort();
  const server = new Port(port);
  for (const client of clients) client.moveTo(server);
  return shoal;
}

/** Until something holds; clients answer meanwhile. */
async function serve(clients: readonly ModelClient[], isOver: () => boolean): Promise<void> {
  const until = performance.now() + SETTLE_MS_MAX;
  while (!isOver()) {
    assert.ok(performance.now() < until, 'the clients come to an end in time');
    for (const client of clients) {
      client.connect();
      client.answer(true);
    }
    await delay(1);
  }
}

/** Retained messages so large that snapshots are written again and again. */
function churn(): { tick(): void; end(): void } {
  const socket = connect(port, '127.0.0.1');
  sockets.add(socket);
  socket.on('error', () => undefined);
  socket.write(wire.connect({ clientId: 'churn', version: 4, clean: true }));
  let round = 0;
  return {
    tick: () => {
      if (socket.writableLength > 0) return;
      round += 1;
      socket.write(LARGE[round % LARGE.length]!);
    },
    end: () => {
      sockets.delete(socket);
      socket.destroy();
    },
  };
}

test(`acknowledged messages survive kill -9 (${CRASHES} times, seed ${SEED})`, async (context) => {
  const random = seededRandom(SEED);
  const nowhere: Server = {
    connect: () => {
      throw new Error('no broker runs');
    },
  };
  const clients = ([4, 5, 4, 5] as const).map(
    (version, i) => new ModelClient(nowhere, `c${i}`, version, random),
  );
  let shoal = await start(clients);
  for (const client of clients) client.subscribe();
  await serve(clients, () => clients.every((client) => client.isSubscribed));
  const published: Published[] = [];
  const loseAt = clients.map(() => 0);
  let snapshots = 0;
  for (let crash = 0; crash < CRASHES; crash++) {
    const killAt = performance.now() + random() * LIFE_MS_MAX;
    const large = churn();
    while (performance.now() < killAt) {
      for (const [i, client] of clients.entries()) {
        if (performance.now() > (loseAt[i] ?? 0)) {
          client.lose();
          loseAt[i] = performance.now() + random() * LOSS_MS_MAX;
        }
        while (client.outstanding < OUTSTANDING_MAX) {
          const qos = random() < 0.5 ? 1 : 2;
          const payload = `${client.name}:${published.length}:q${qos}`;
          published.push({ payload, qos, by: client.name });
          client.publish(payload, qos);
        }
        client.connect();
        client.answer(random() < 0.5);
      }
      large.tick();
      await new Promise((next) => setImmediate(next));
    }
    large.end();
    await shoal.kill();
    snapshots += shoal.output.split('snapshot written').length - 1;
    running.delete(shoal);
    shoal = await start(clients);
  }
  const counts = (): number => clients.reduce((sum, { received }) => sum + received.length, 0);
  let last = -1;
  let quietSince = 0;
  await serve(clients, () => {
    if (counts() !== last || !clients.every((client) => client.settled)) {
      last = counts();
      quietSince = performance.now();
    }
    return performance.now() - quietSince > 300;
  });
  assert.ok(published.length > CRASHES * 20, `${published.length} messages were published`);
  context.diagnostic(`${published.length} messages, ${snapshots} snapshots`);
  for (const receiver of clients) checkReceived(receiver, published);
  assert.doesNotMatch(shoal.output, /damaged/);
  await shoal.stop();
  running.delete(shoal);
});
