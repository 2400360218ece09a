// Measures what each kind of object that clients make the node keep really takes on the heap, beside what
// src/broker/memory-costs.ts has it charged with. Exits with 1 if something takes more than it is charged.
//   node --expose-gc --import tsx test/bench/memory-costs.ts [words]

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { Broker } from '../../src/broker/broker.ts';
import type { Client } from '../../src/broker/client/client.ts';
import type { Outbox } from '../../src/broker/ports.ts';
import { Connection } from '../../src/net/clients/connection.ts';
import { silentLogger } from '../../src/shared/logger.ts';
import * as wire from '../support/wire.ts';

/** Measurements vary by this much, of each object and of all together. */
const TOLERANCE = 1.03;
const NOISE_BYTES = 400_000;
/** A generation of the table of topics. Cases with many topics have as many, so that the table is as full after them. */
const TOPICS = 65_536;
const KEPT = { sessionExpiryInterval: 3600 };
const words = process.argv.slice(2);
const execArgv = ['--expose-gc', ...process.execArgv];

const sink: Outbox = {
  congested: false,
  write: () => undefined,
  close: () => undefined,
  pauseReading: () => undefined,
  resumeReading: () => undefined,
};

/** One case: what is prepared before the first measurement, then `count` objects of the kind. */
interface Case {
  readonly what: string;
  readonly count: number;
  readonly make: (broker: Broker) => (index: number) => void;
}

const number = (index: number): string => String(index).padStart(7, '0');

function newBroker(): Broker {
  const unlimited = Number.POSITIVE_INFINITY;
  const options = {
    sysIntervalSeconds: 0,
    connectionsMax: unlimited,
    sessionsMax: unlimited,
    subscriptionsPerClientMax: unlimited,
    queueMessagesMax: unlimited,
    queueMemoryBytesMax: unlimited,
    topicAliasMaximum: 65_535,
    inflightMax: 65_535,
  };
  return new Broker({ options, random: Math.random, now: 0, log: silentLogger });
}

function open(broker: Broker, clientId: string, fields: wire.ConnectFields = {}): Client {
  const client = broker.accept(sink, { remoteAddress: '192.0.2.1' }, 0);
  client.receive(wire.connect({ clientId, version: 5, ...fields }), 0);
  return client;
}

function absent(broker: Broker, clientId: string, fields: wire.ConnectFields = {}): void {
  open(broker, clientId, { properties: KEPT, ...fields }).disconnected(0);
}

function publish(client: Client, topic: string, payload: string, fields = {}): void {
  client.receive(wire.publish(5, { topic, payload: Buffer.from(payload), ...fields }), 0);
}

/** Eight levels, each a wildcard or not. */
function shape(index: number): string {
  const bits = index.toString(2).padStart(8, '0');
  return [...bits].map((bit) => (bit === '0' ? 'y' : '+')).join('/');
}

let subscribes = 0;

function subscribe(client: Client, filter: string): void {
  subscribes = (subscribes % 60_000) + 1;
  client.receive(wire.subscribe(5, subscribes, [filter]), 0);
}

const will = { topic: 'will/of/a/client', payload: Buffer.alloc(20), properties: {} };

const CASES: readonly Case[] = [
  {
    what: 'session of an absent client',
    count: 20_000,
    make: (broker) => (i) => absent(broker, `client-${number(i)}`),
  },
  {
    what: 'session of an absent client, each with a user of its own',
    count: 20_000,
    make: (broker) => (i) =>
      absent(broker, `client-${number(i)}`, { username: `user-${number(i)}` }),
  },
  {
    what: 'session of an absent client with a will',
    count: 20_000,
    make: (broker) => (i) =>
      absent(broker, `client-${number(i)}`, {
        will: { ...will, properties: { willDelayInterval: 3600 } },
      }),
  },
  {
    what: 'session with a Client Identifier of 60,000 bytes',
    count: 500,
    make: (broker) => (i) => absent(broker, number(i).padEnd(60_000, 'x')),
  },
  {
    what: 'session of an absent client with one subscription',
    count: 20_000,
    make: (broker) => (i) => {
      const client = open(broker, `client-${number(i)}`, { properties: KEPT });
      subscribe(client, `device/${number(i)}`);
      client.disconnected(0);
    },
  },
  {
    what: 'subscription of one level in one session',
    count: 20_000,
    make: (broker) => {
      const client = open(broker, 'c');
      return (i) => subscribe(client, number(i));
    },
  },
  {
    what: 'subscription of 100 levels in one session',
    count: 900,
    make: (broker) => {
      const client = open(broker, 'c');
      return (i) => subscribe(client, `${number(i)}${'/x'.repeat(99)}`);
    },
  },
  {
    what: 'subscription of 60,000 bytes',
    count: 500,
    make: (broker) => {
      const client = open(broker, 'c');
      return (i) => subscribe(client, `${number(i)}/${'x'.repeat(60_000)}/y`);
    },
  },
  {
    what: 'subscription with a shared group of its own',
    count: 50,
    make: (broker) => {
      const client = open(broker, 'c');
      return (i) => subscribe(client, `$share/group-${number(i)}/x`);
    },
  },
  {
    what: 'subscription with wildcards in a shape of its own',
    count: 240,
    make: (broker) => {
      const client = open(broker, 'c');
      return (i) => subscribe(client, `x/${shape(i)}/end`);
    },
  },
  {
    what: 'subscription in a tree in which each level branches',
    count: 4096,
    make: (broker) => {
      const client = open(broker, 'c');
      return (i) => subscribe(client, i.toString(2).padStart(12, '0').split('').join('/'));
    },
  },
  {
    what: 'retained message of 20 bytes, three levels',
    count: TOPICS,
    make: (broker) => {
      const client = open(broker, 'c');
      return (i) =>
        publish(client, `plant/${i % 100}/${number(i)}`, 'x'.repeat(20), { retain: true });
    },
  },
  {
    what: 'retained message of 20 bytes that expires',
    count: TOPICS,
    make: (broker) => {
      const client = open(broker, 'c');
      const properties = { messageExpiryInterval: 3600 };
      return (i) =>
        publish(client, `plant/${i % 100}/${number(i)}`, 'x'.repeat(20), {
          retain: true,
          properties,
        });
    },
  },
  {
    what: 'retained message of 1 byte, 128 levels',
    count: TOPICS,
    make: (broker) => {
      const client = open(broker, 'c');
      return (i) => publish(client, `${number(i)}${'/x'.repeat(127)}`, '1', { retain: true });
    },
  },
  {
    what: 'retained message of 1 byte, each a branch of the one before',
    count: TOPICS,
    make: (broker) => {
      const client = open(broker, 'c');
      return (i) => {
        const way = `${number(i >> 6)}${'/x'.repeat(i & 63)}`;
        publish(client, `${way}/leaf`, '1', { retain: true });
      };
    },
  },
  {
    what: 'retained message of 1 byte, with 4,000 passing bytes between',
    count: TOPICS,
    make: (broker) => {
      const client = open(broker, 'c');
      return (i) => {
        publish(client, `t/${number(i)}`, '1', { retain: true });
        publish(client, 't/other', 'y'.repeat(4000), { retain: true });
      };
    },
  },
  {
    what: 'queued message of 20 bytes of one topic',
    count: 50_000,
    make: (broker) => {
      const client = open(broker, 'away', { properties: KEPT });
      subscribe(client, 'plant/topic');
      client.disconnected(0);
      const publisher = open(broker, 'p', { version: 4 });
      return (i) =>
        publish(publisher, 'plant/topic', 'x'.repeat(20), { qos: 1, id: (i % 60_000) + 1 });
    },
  },
  {
    what: 'queued message of 20 bytes, each of a topic of its own',
    count: TOPICS,
    make: (broker) => {
      const client = open(broker, 'away', { properties: KEPT });
      subscribe(client, '#');
      client.disconnected(0);
      const publisher = open(broker, 'p');
      return (i) =>
        publish(publisher, `plant/${number(i)}`, 'x'.repeat(20), { qos: 1, id: (i % 60_000) + 1 });
    },
  },
  {
    what: 'queued message that expires',
    count: 50_000,
    make: (broker) => {
      const client = open(broker, 'away', { properties: KEPT });
      subscribe(client, '#');
      client.disconnected(0);
      const publisher = open(broker, 'p');
      const properties = { messageExpiryInterval: 3600 };
      return (i) =>
        publish(publisher, 'plant', 'x'.repeat(20), { qos: 1, id: (i % 60_000) + 1, properties });
    },
  },
  {
    what: 'the same message in one more queue',
    count: 10_000,
    make: (broker) => {
      for (let i = 0; i < 100; i++) {
        const client = open(broker, `away${i}`, { properties: KEPT });
        subscribe(client, 'all');
        client.disconnected(0);
      }
      const publisher = open(broker, 'p');
      return (i) => {
        if (i % 100 === 0) publish(publisher, 'all', 'x', { qos: 1, id: i / 100 + 1 });
      };
    },
  },
  {
    what: 'message in flight of 20 bytes',
    count: 50_000,
    make: (broker) => {
      const client = open(broker, 'silent', { properties: { receiveMaximum: 65_535 } });
      client.receive(wire.subscribe(5, 1, ['t']), 0);
      const publisher = open(broker, 'p');
      return (i) => publish(publisher, 't', 'x'.repeat(20), { qos: 1, id: (i % 60_000) + 1 });
    },
  },
  {
    what: 'topic alias of a client',
    count: 50_000,
    make: (broker) => {
      const client = open(broker, 'c');
      return (i) =>
        publish(client, `topic/${number(i)}`, 'x', { properties: { topicAlias: i + 1 } });
    },
  },
  {
    what: 'topic alias of 60,000 bytes',
    count: 500,
    make: (broker) => {
      const client = open(broker, 'c');
      return (i) =>
        publish(client, number(i).padEnd(60_000, 'x'), 'x', { properties: { topicAlias: i + 1 } });
    },
  },
  {
    what: 'QoS 2 message received and not released, of a session with 10,000',
    count: 10_000,
    make: (broker) => {
      const client = open(broker, 'c', { version: 4 });
      return (i) =>
        client.receive(wire.publish(4, { topic: 't', payload: 'x', qos: 2, id: i + 1 }), 0);
    },
  },
  {
    what: 'connection with 300,000 bytes of an unfinished packet',
    count: 200,
    make: (broker) => (i) => {
      const packet = wire.publish(5, { topic: 't', payload: Buffer.alloc(600_000) });
      open(broker, `client-${number(i)}`).receive(Buffer.from(packet.subarray(0, 300_000)), 0);
    },
  },
];

function usedBytes(): number {
  for (let i = 0; i < 4; i++) globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const kept: unknown[] = [];
let hasFailed = false;

function show(what: string, count: number, realBytes: number, chargedBytes: number): void {
  const isOver = realBytes > chargedBytes * TOLERANCE + NOISE_BYTES / count;
  hasFailed ||= isOver;
  const columns = [realBytes, chargedBytes].map((bytes) => bytes.toFixed(0).padStart(9));
  console.log(`${what.padEnd(66)} ${columns.join(' ')}${isOver ? '  charged too little' : ''}`);
}

/** In a process of its own, so that no garbage of an earlier case counts. */
async function measureApart(index: number): Promise<void> {
  const child = fork(new URL(import.meta.url), ['case', String(index)], { execArgv });
  const [figures] = (await once(child, 'message')) as [[number, number]];
  const { what, count } = CASES[index]!;
  show(what, count, ...figures);
}

function measure({ count, make }: Case): void {
  const broker = newBroker();
  const { topics, accounts } = broker.context;
  // Before and after the work, so that the table of topics, which is bounded by itself, takes the same.
  let filled = 0;
  const fillTopics = (): void => {
    for (let i = 0; i < 3 * TOPICS; i++) topics.intern(`fill/${number(filled++)}`);
  };
  fillTopics();
  const work = make(broker);
  const charged = accounts.bytes;
  const used = usedBytes();
  for (let i = 0; i < count; i++) {
    work(i);
    broker.runDeferred(0);
  }
  fillTopics();
  // What nothing refers to any more would be collected before it is measured.
  kept.push(broker, work);
  process.send?.([(usedBytes() - used) / count, (accounts.bytes - charged) / count]);
}

/** Connections with sockets: their clients are in another process. */
async function measureConnections(count: number): Promise<void> {
  const broker = newBroker();
  const server = createServer({ noDelay: true }, (socket) => {
    new Connection(socket, broker, { remoteAddress: socket.remoteAddress ?? '' });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const used = usedBytes();
  const child = fork(new URL(import.meta.url), ['clients', String(port), String(count)]);
  while (broker.stats.clientsConnected < count) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
  show(
    'connection with its session',
    count,
    (usedBytes() - used) / count,
    broker.context.accounts.bytes / count,
  );
  child.kill();
  server.close();
}

function connectAll(port: number, count: number): void {
  for (let i = 0; i < count; i++) {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(wire.connect({ clientId: `client-${number(i)}`, version: 5 }));
    });
    socket.on('error', () => undefined);
  }
}

if (words[0] === 'clients') {
  connectAll(Number(words[1]), Number(words[2]));
} else if (words[0] === 'case') {
  measure(CASES[Number(words[1])]!);
} else {
  console.log(`${'bytes of one'.padEnd(66)} ${'real'.padStart(9)} ${'charged'.padStart(9)}`);
  for (const [index, { what }] of CASES.entries()) {
    if (words.every((word) => what.includes(word))) await measureApart(index);
  }
  if (words.length === 0) await measureConnections(4000);
  process.exit(hasFailed ? 1 : 0);
}
