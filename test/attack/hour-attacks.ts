// The attacks of hour.ts on one node, all at the same time, each at a modest pace that never ends: what
// counts is what they leave behind after an hour. `hour-attacks.ts MQTT-PORT WS-PORT GOSSIP-PORT SYNC-PORT
// RECORDING-PORT SEED [--anywhere]`. The node pings the recording port, which is among its seeds.

import { randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import { seededRandom } from '../support/random.ts';
import * as wire from '../support/wire.ts';
import { AttackClient } from './attack-client.ts';

const [port = 0, wsPort = 0, gossipPort = 0, syncPort = 0, recordingPort = 0, seed = 1] =
  process.argv.slice(2).map(Number);
const random = seededRandom(seed);
const target = { host: '127.0.0.1', port };
const FOR_EVER = { sessionExpiryInterval: 0xffffffff };

const below = (bound: number): number => Math.floor(random() * bound);
/** Logins are guessed from very many addresses; the attacks on memory come from this many hosts, or from anywhere. */
const HOSTS = 16;
const anywhere = (): string => `127.66.${below(250)}.${1 + below(250)}`;
const oneOfTheHosts = process.argv.includes('--anywhere')
  ? anywhere
  : (): string => `127.67.0.${1 + below(HOSTS)}`;
const word = (): string => Math.floor(random() * 1e9).toString(36);

function open(fields: wire.ConnectFields = {}, from = oneOfTheHosts()): Promise<AttackClient> {
  return AttackClient.open(target, { clientId: word(), ...fields }, from);
}

/** Repeats the step for ever, with a pause after each; a step that fails is tried again. */
function every(ms: number, step: () => Promise<void>): void {
  const again = (): void => {
    const rest = (): void => {
      setTimeout(again, ms);
    };
    step().then(rest, rest);
  };
  setTimeout(again, below(ms));
}

/** Opens a client, does something with it, and ends its connection. */
function withClient(
  fields: () => wire.ConnectFields,
  use: (client: AttackClient) => Promise<void> | void,
  from = oneOfTheHosts,
): () => Promise<void> {
  return async () => {
    const client = await open(fields(), from());
    await use(client);
    client.destroy();
  };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Tree nodes of retained topics, and retained messages that expire. */
function fillRetained(): void {
  every(
    500,
    withClient(
      () => ({}),
      async (client) => {
        const packets = Array.from({ length: 20 }, (_, i) => {
          const topic = `${`${word()}/`.repeat(100)}${i}`;
          const properties = below(2) === 0 ? { messageExpiryInterval: 5 } : {};
          return wire.publish(5, { topic, payload: 'x', retain: true, properties });
        });
        await client.ask(Buffer.concat([...packets, wire.PINGREQ]));
      },
    ),
  );
}

/** Wills with topics of tens of thousands of levels, large wills, and wills that wait for an age. */
function leaveWills(): void {
  every(
    300,
    withClient(
      () => ({
        will: {
          topic: below(3) === 0 ? '/'.repeat(30_000) : `will/${word()}`,
          payload: Buffer.alloc(below(60_000)),
          properties: { willDelayInterval: 0xfffffff0 },
        },
        properties: FOR_EVER,
        clean: false,
      }),
      () => undefined,
    ),
  );
}

/** Shapes of filters, and filters of 64 KB. */
function subscribeToMuch(): void {
  every(
    1000,
    withClient(
      () => ({ properties: FOR_EVER, clean: false }),
      async (client) => {
        const shapes = Array.from({ length: 100 }, () =>
          Array.from({ length: 16 }, () => (below(2) === 0 ? '+' : word())).join('/'),
        );
        await client.ask(wire.subscribe(5, 1, shapes));
        const long = Array.from({ length: 10 }, () => `${word()}/${'x'.repeat(60_000)}`);
        await client.ask(wire.subscribe(5, 2, long));
      },
    ),
  );
}

/** Sessions without expiry, with identifiers of 60 KB and full queues. */
function leaveSessions(): void {
  every(
    200,
    withClient(
      () => ({
        clientId: `${word()}${below(10) === 0 ? 'y'.repeat(60_000) : ''}`,
        clean: false,
        properties: FOR_EVER,
      }),
      (client) => client.ask(wire.subscribe(5, 1, [{ filter: 'fill', qos: 1 }])),
    ),
  );
  every(
    400,
    withClient(
      () => ({}),
      (client) => {
        const packet = wire.publish(5, { topic: 'fill', payload: Buffer.alloc(20_000), qos: 1 });
        return client.ask(packet);
      },
    ),
  );
}

/** Packets that are never finished, and topic aliases of 60 KB, each on a connection that stays. */
function holdBytes(): void {
  every(1000, async () => {
    const client = await open();
    const whole = wire.publish(5, { topic: 'never', payload: Buffer.alloc(900_000) });
    client.socket.write(whole.subarray(0, 300_000));
    setTimeout(() => client.destroy(), 30_000);
  });
  every(1500, async () => {
    const client = await open();
    for (let topicAlias = 1; topicAlias <= 10; topicAlias++) {
      const topic = `${word()}/${'z'.repeat(60_000)}`;
      client.socket.write(wire.publish(5, { topic, properties: { topicAlias } }));
    }
    setTimeout(() => client.destroy(), 30_000);
  });
}

function guessPasswords(): void {
  for (let i = 0; i < 5; i++) {
    every(
      20,
      withClient(
        () => ({ username: below(2) === 0 ? 'innocent' : word(), password: word() }),
        () => undefined,
        anywhere,
      ),
    );
  }
}

/** Bursts of every kind of work, one after the other. */
function keepBusy(): void {
  const bursts: (() => Promise<void>)[] = [
    async () => {
      const readers = await Promise.all(Array.from({ length: 40 }, () => open()));
      for (const reader of readers) {
        await reader.ask(wire.subscribe(5, 1, ['flood']));
        reader.stopReading();
      }
      const chunk = Buffer.concat(
        Array(60).fill(wire.publish(5, { topic: 'flood', payload: Buffer.alloc(1024) })),
      );
      await flood(chunk);
      for (const reader of readers) reader.destroy();
    },
    () => flood(Buffer.concat(Array(10_000).fill(wire.PINGREQ))),
    () => flood(Buffer.concat(Array(5000).fill(wire.ack('pubcomp', 7)))),
    () => flood(wire.subscribe(5, 1, [{ filter: '#', qos: 0 }])),
    () =>
      flood(
        Buffer.concat(
          Array.from({ length: 300 }, (_, i) =>
            Buffer.concat([
              wire.publish(5, { topic: 'q2', payload: 'x', qos: 2, id: i + 1 }),
              wire.ack('pubrel', i + 1),
            ]),
          ),
        ),
      ),
    () => {
      const filters = Array.from({ length: 300 }, (_, i) => `${i}/b/c`);
      const change = [wire.subscribe(5, 1, filters), wire.unsubscribe(5, 1, filters)];
      return flood(Buffer.concat(change));
    },
  ];
  let next = 0;
  every(1000, async () => {
    next += 1;
    await bursts[next % bursts.length]?.();
  });
}

async function flood(chunk: Buffer): Promise<void> {
  const client = await open();
  client.flood(() => chunk);
  await pause(2000);
  client.destroy();
}

function upgradeWebSockets(): void {
  const request =
    'GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n' +
    'Sec-WebSocket-Protocol: mqtt\r\n\r\n';
  every(50, async () => {
    const client = new AttackClient({ host: '127.0.0.1', port: wsPort }, anywhere());
    client.socket.write(below(2) === 0 ? request : randomBytes(500));
    await client.answer();
    client.destroy();
  });
}

/** Forged datagrams, and recordings of the node's own, to both ports of the cluster. */
function forgeDatagrams(): void {
  const socket = dgram.createSocket('udp4');
  const recorded: Buffer[] = [];
  socket.on('message', (datagram) => {
    if (recorded.length < 1000) recorded.push(datagram);
  });
  socket.bind(recordingPort, '127.0.0.1');
  every(10, async () => {
    for (let i = 0; i < 5; i++) {
      const recording = recorded[below(recorded.length)];
      const isForged = recording === undefined || below(2) === 0;
      const datagram = isForged ? randomBytes(40 + below(1300)) : recording;
      // As one of this version, perhaps encrypted.
      if (isForged && recording !== undefined) recording.copy(datagram, 0, 0, 8);
      socket.send(datagram, below(2) === 0 ? gossipPort : syncPort, '127.0.0.1');
    }
  });
}

fillRetained();
leaveWills();
subscribeToMuch();
leaveSessions();
holdBytes();
guessPasswords();
keepBusy();
upgradeWebSockets();
forgeDatagrams();
process.on('disconnect', () => process.exit());
