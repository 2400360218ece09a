// What a stranger, or a client with little traffic, can make a node keep: each attack fills one kind of
// memory. run() returns when the node has taken or refused everything. The attacker comes from addresses
// of its own, so that a node can distinguish it from the innocents.

import { fnv1a } from '../../src/shared/fnv1a.ts';
import * as wire from '../support/wire.ts';
import { AttackClient, openMany, type Target } from './attack-client.ts';

export interface MemoryAttack {
  readonly name: string;
  /** Nodes of the cluster; 1 if undefined. */
  readonly nodes?: number;
  readonly flags?: readonly string[];
  run(target: Target): Promise<void>;
}

const STRANGER = '127.0.0.2';
const FOR_EVER = 0xffff_ffff;
const KEPT = { sessionExpiryInterval: FOR_EVER };
const LONG = 'x'.repeat(60_000);
const CHUNK_BYTES = 262_144;
/** As src/broker/routing/topic-table.ts has them. */
const BUCKETS = 65_536;
const CHAIN = 31;

function open(
  target: Target,
  fields: wire.ConnectFields = {},
  address = STRANGER,
): Promise<AttackClient> {
  return AttackClient.open(target, fields, address);
}

/** Sends all packets, some at a time; ends early if the node disconnects the client. */
async function sendAll(client: AttackClient, packets: Iterable<Buffer>): Promise<void> {
  let some: Buffer[] = [];
  let bytes = 0;
  const flush = async (): Promise<void> => {
    if (!client.isClosed) await client.ask(Buffer.concat([...some, wire.PINGREQ]));
    some = [];
    bytes = 0;
  };
  for (const packet of packets) {
    some.push(packet);
    bytes += packet.length;
    if (bytes > CHUNK_BYTES) await flush();
    if (client.isClosed) return;
  }
  await flush();
}

function* packets(count: number, make: (index: number) => Buffer): Generator<Buffer> {
  for (let i = 0; i < count; i++) yield make(i);
}

/** Sessions that stay when their clients have gone, each after `prepare`. */
async function leaveSessions(
  target: Target,
  count: number,
  fields: (index: number) => wire.ConnectFields,
  prepare?: (client: AttackClient, index: number) => Promise<void>,
): Promise<void> {
  await openMany(count, async (index) => {
    const client = await open(target, { properties: KEPT, ...fields(index) });
    await prepare?.(client, index);
    client.destroy();
    return client;
  });
}

/** Names of topics that have one hash bucket: `CHAIN` long ones, then a short one. */
function chains(count: number): string[][] {
  const prefix = Buffer.from(LONG);
  const start = fnv1a(prefix, 0, prefix.length);
  const byBucket = new Map<number, string[]>();
  const found: string[][] = [];
  for (let i = 0; found.length < count; i++) {
    const suffix = i.toString(36);
    let hash = start;
    for (const byte of Buffer.from(suffix)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
    const bucket = (hash ^ (hash >>> 15)) & (BUCKETS - 1);
    const names = byBucket.get(bucket) ?? [];
    byBucket.set(bucket, names);
    names.push(LONG + suffix);
    if (names.length === CHAIN) found.push([...names, shortName(bucket)]);
  }
  return found;
}

function shortName(bucket: number): string {
  for (let i = 0; ; i++) {
    const name = Buffer.from(`t${i.toString(36)}`);
    const hash = fnv1a(name, 0, name.length);
    if (((hash ^ (hash >>> 15)) & (BUCKETS - 1)) === bucket) return name.toString();
  }
}

/** Each topic has a value for a moment only; in a cluster its version stays. */
async function retainAndClear(target: Target, count: number, name: string): Promise<void> {
  const client = await open(target);
  const make = (i: number): Buffer => {
    const topic = `${i}/${name}`;
    const value = wire.publish(5, { topic, payload: '1', retain: true });
    return Buffer.concat([value, wire.publish(5, { topic, payload: '', retain: true })]);
  };
  await sendAll(client, packets(count, make));
}

async function retainDeep(target: Target, count: number): Promise<void> {
  const levels = '/x'.repeat(127);
  const client = await open(target);
  const make = (i: number): Buffer =>
    wire.publish(5, { topic: `${i}${levels}`, payload: '1', retain: true });
  await sendAll(client, packets(count, make));
}

export const memoryAttacks: readonly MemoryAttack[] = [
  {
    name: '20,000 retained topics of 128 levels',
    run: (target) => retainDeep(target, 20_000),
  },
  {
    name: '60,000 retained topics of 128 levels, three nodes',
    nodes: 3,
    run: (target) => retainDeep(target, 60_000),
  },
  {
    name: '5,000 retained topics of 60 KB, each cleared at once, two nodes',
    nodes: 2,
    run: (target) => retainAndClear(target, 5000, LONG),
  },
  {
    name: '60 wills of 60,001 levels',
    async run(target) {
      const topic = '/'.repeat(60_000);
      const properties = { sessionExpiryInterval: 0 };
      const will = { topic, payload: 'x', retain: true };
      const clients = await openMany(60, (i) =>
        open(target, { properties, will: { ...will, topic: `${i}${topic}` } }),
      );
      for (const client of clients) client.destroy();
    },
  },
  {
    name: '2,000 filters of 60 KB of one client',
    async run(target) {
      const client = await open(target);
      const make = (i: number): Buffer => wire.subscribe(5, (i % 60_000) + 1, [`${i}/${LONG}`]);
      await sendAll(client, packets(2000, make));
    },
  },
  {
    name: '2,000 sessions with names of 120 KB',
    run: (target) =>
      leaveSessions(target, 2000, (i) => ({ clientId: `${i}${LONG}`, username: LONG })),
  },
  {
    name: '4,000 wills of absent sessions, of 60 KB each',
    run: (target) =>
      leaveSessions(target, 4000, (i) => ({
        clientId: `will-${i}`,
        will: { topic: `w/${i}`, payload: LONG, properties: { willDelayInterval: FOR_EVER } },
      })),
  },
  {
    name: '400,000 small messages in flight to 4,000 clients that do not acknowledge',
    async run(target) {
      await openMany(4000, async (i) => {
        const client = await open(target);
        await client.ask(wire.subscribe(5, 1, [{ filter: `f/${i}`, qos: 1 }]));
        return client;
      });
      const publisher = await open(target);
      const make = (i: number): Buffer =>
        wire.publish(5, {
          topic: `f/${i % 4000}`,
          payload: LONG.slice(0, 1000),
          qos: 1,
          id: (i % 60_000) + 1,
        });
      for (let i = 0; i < 400_000; i += 50) {
        await sendAll(
          publisher,
          packets(50, (k) => make(i + k)),
        );
        if (publisher.isClosed) return;
      }
    },
  },
  {
    name: '400 unfinished packets of 900 KB',
    async run(target) {
      const packet = wire.publish(5, { topic: 't', payload: Buffer.alloc(1_000_000) });
      const part = packet.subarray(0, 900_000);
      await openMany(400, async () => {
        const client = await open(target);
        await new Promise<void>((resolve) => client.socket.write(part, () => resolve()));
        return client;
      });
    },
  },
  {
    name: '4,000 topic aliases of 60 KB on 400 connections',
    async run(target) {
      await openMany(400, async (n) => {
        const client = await open(target);
        const make = (i: number): Buffer =>
          wire.publish(5, {
            topic: `${n}/${i}/${LONG}`,
            payload: 'x',
            properties: { topicAlias: i + 1 },
          });
        await sendAll(client, packets(10, make));
        return client;
      });
    },
  },
  {
    name: '60 small retained messages in hash chains of 31 topics of 60 KB',
    async run(target) {
      const client = await open(target);
      for (const names of chains(60)) {
        const make = (i: number): Buffer =>
          wire.publish(5, { topic: names[i]!, payload: '1', retain: i === names.length - 1 });
        await sendAll(client, packets(names.length, make));
      }
    },
  },
  {
    name: '20,000 retained messages of 1 byte, each with 4 KB of passing ones',
    async run(target) {
      const client = await open(target);
      const payload = LONG.slice(0, 4000);
      const make = (i: number): Buffer =>
        i % 2 === 0
          ? wire.publish(5, { topic: `k/${i}`, payload: '1', retain: true })
          : wire.publish(5, { topic: 'passing', payload, retain: true });
      await sendAll(client, packets(40_000, make));
    },
  },
  {
    name: '20 absent sessions that fill -queue-memory',
    flags: ['-queue-memory=64M'],
    async run(target) {
      await leaveSessions(
        target,
        20,
        (i) => ({ clientId: `q${i}` }),
        (client, i) => client.ask(wire.subscribe(5, 1, [{ filter: `q/${i}`, qos: 1 }])),
      );
      const publisher = await open(target);
      const payload = LONG.slice(0, 50_000);
      const make = (i: number): Buffer =>
        wire.publish(5, { topic: `q/${i % 20}`, payload, qos: 1, id: i + 1 });
      await sendAll(publisher, packets(3000, make));
    },
  },
  {
    name: '3,000 absent sessions and connections that fill -max-sessions=2000',
    flags: ['-max-sessions=2000'],
    async run(target) {
      await leaveSessions(target, 3000, (i) => ({ clientId: `s${i}` }));
      await openMany(500, () => open(target));
    },
  },
  {
    name: '50,000 retained messages that have expired, of -retained-messages=50000',
    flags: ['-retained-messages=50000'],
    async run(target) {
      const addresses = ['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5', '127.0.0.6'];
      const properties = { messageExpiryInterval: 1 };
      for (const [n, address] of addresses.entries()) {
        const client = await open(target, {}, address);
        const make = (i: number): Buffer =>
          wire.publish(5, { topic: `e/${n}/${i}`, payload: 'x', retain: true, properties });
        await sendAll(client, packets(50_000, make));
      }
      await new Promise((resolve) => setTimeout(resolve, 3000));
    },
  },
];
