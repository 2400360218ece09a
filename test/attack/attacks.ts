// What one client, or a few, can do to make the node busy: each attack is one kind of work that might
// delay other clients. prepare() sets up and returns what begins the attack, which then goes on until
// the process ends.

import { connect as connectTls } from 'node:tls';
import * as wire from '../support/wire.ts';
import { AttackClient, openMany, type Target } from './attack-client.ts';

export interface Attack {
  readonly name: string;
  /** Flags of the node that make the attack possible. */
  readonly flags?: readonly string[];
  /** The listener that is attacked instead of the ordinary one. */
  readonly listener?: 'tls' | 'ws';
  /** The node keeps its state on the disk. */
  readonly isStored?: boolean;
  prepare(target: Target): Promise<() => void>;
}

const FOR_LONG = { sessionExpiryInterval: 3600 };

function repeated(packet: Buffer, bytes: number): Buffer {
  return Buffer.concat(Array(Math.max(1, Math.floor(bytes / packet.length))).fill(packet));
}

/** A client with these subscriptions. */
async function subscriber(
  target: Target,
  filters: (string | wire.SubscriptionFields)[],
  fields: wire.ConnectFields = {},
): Promise<AttackClient> {
  const client = await AttackClient.open(target, fields);
  await client.ask(wire.subscribe(5, 1, filters));
  return client;
}

async function floodTopic(
  target: Target,
  topic: string,
  bytes: number,
  qos = 0,
): Promise<() => void> {
  const publisher = await AttackClient.open(target);
  const packet = wire.publish(5, { topic, payload: Buffer.alloc(bytes), qos });
  const chunk = repeated(packet, 65_536);
  return () => publisher.flood(() => chunk);
}

/** Leaves so many retained messages at `r/...` of the node. */
async function retain(target: Target, count: number): Promise<void> {
  const publisher = await AttackClient.open(target);
  for (let i = 0; i < count; i += 1000) {
    const packets = Array.from({ length: 1000 }, (_, k) =>
      wire.publish(5, { topic: `r/${(i + k) % 317}/${i + k}`, payload: `${i}`, retain: true }),
    );
    await publisher.ask(Buffer.concat([...packets, wire.PINGREQ]));
  }
}

/** Calls `again` again as soon as it has finished. */
function forEver(again: () => Promise<void>): void {
  void again().then(() => setImmediate(() => forEver(again)));
}

const UPGRADE =
  'GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n' +
  'Sec-WebSocket-Protocol: mqtt\r\n\r\n';
/** First bytes of frames (RFC 6455 5.2): whole messages, the begin of one, and its parts. */
const BINARY = 0x82;
const PING = 0x89;
const BEGUN = 0x02;
const CONTINUATION = 0x00;

/** A connection whose upgrade is answered, or refused. */
async function upgraded(target: Target): Promise<AttackClient> {
  const client = new AttackClient(target);
  client.socket.write(UPGRADE);
  await client.answer();
  return client;
}

/** A frame of up to 125 bytes whose mask changes nothing. */
function webSocketFrame(first: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([first, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
}

export const attacks: readonly Attack[] = [
  {
    name: '1 KB to 300 subscribers that do not read',
    async prepare(target) {
      const readers = await openMany(300, () => subscriber(target, ['flood']));
      for (const reader of readers) reader.stopReading();
      return floodTopic(target, 'flood', 1024);
    },
  },
  {
    name: '10 KB to 50 readers',
    async prepare(target) {
      await openMany(50, () => subscriber(target, ['flood']));
      return floodTopic(target, 'flood', 10_240);
    },
  },
  {
    name: '64 B to 5,000 readers',
    async prepare(target) {
      await openMany(5000, () => subscriber(target, ['flood']));
      return floodTopic(target, 'flood', 64);
    },
  },
  {
    name: 'QoS 1 to 300 subscribers that acknowledge nothing',
    async prepare(target) {
      await openMany(300, () => subscriber(target, [{ filter: 'flood', qos: 1 }]));
      return floodTopic(target, 'flood', 200, 1);
    },
  },
  {
    name: 'a wildcard subscribed to anew, over 100,000 retained',
    flags: ['-retained-messages=200000'],
    async prepare(target) {
      await retain(target, 100_000);
      const readers = await openMany(20, () => AttackClient.open(target));
      const again = wire.subscribe(5, 1, [{ filter: 'r/#', qos: 0 }]);
      return () => {
        for (const reader of readers) reader.flood(() => again);
      };
    },
  },
  {
    name: 'a search that finds nothing, over 100,000 retained',
    flags: ['-retained-messages=200000'],
    async prepare(target) {
      await retain(target, 100_000);
      const searchers = await openMany(20, () => AttackClient.open(target));
      const again = wire.subscribe(5, 1, ['r/+/+/none', '+/+/none', 'r/+/none/#']);
      return () => {
        for (const searcher of searchers) searcher.flood(() => again);
      };
    },
  },
  {
    name: 'routes of 2,000 subscribers, made invalid all the time',
    async prepare(target) {
      await openMany(2000, () => subscriber(target, ['flood/#', 'flood/+']));
      const changer = await AttackClient.open(target);
      const change = Buffer.concat([wire.subscribe(5, 1, ['x']), wire.unsubscribe(5, 1, ['x'])]);
      const chunk = repeated(change, 16_384);
      const begin = await floodTopic(target, 'flood/a', 16);
      return () => {
        begin();
        changer.flood(() => chunk);
      };
    },
  },
  {
    name: 'SUBSCRIBE and UNSUBSCRIBE with 1,000 filters',
    async prepare(target) {
      const filters = Array.from({ length: 1000 }, (_, i) => `${i}/b/c/d/e/f/g/h`);
      const change = Buffer.concat([
        wire.subscribe(5, 1, filters),
        wire.unsubscribe(5, 1, filters),
      ]);
      const clients = await openMany(10, () => AttackClient.open(target));
      return () => {
        for (const client of clients) client.flood(() => change);
      };
    },
  },
  {
    name: 'sessions with 100,000 queued messages, resumed and lost',
    flags: ['-max-queued-messages=100000', '-max-queued-bytes=100000000'],
    async prepare(target) {
      const ids = Array.from({ length: 5 }, (_, i) => `full-${i}`);
      const session = { clean: false, properties: FOR_LONG };
      for (const clientId of ids) {
        const owner = await subscriber(target, [{ filter: 'fill', qos: 1 }], {
          clientId,
          ...session,
        });
        owner.destroy();
      }
      const publisher = await AttackClient.open(target);
      const packets = repeated(wire.publish(5, { topic: 'fill', payload: 'x', qos: 1 }), 20_000);
      for (let i = 0; i < 100_000; i += packets.length / 12) await publisher.ask(packets);
      return () => {
        for (const clientId of ids) {
          forEver(async () => {
            const client = await AttackClient.open(target, { clientId, ...session });
            client.destroy();
          });
        }
      };
    },
  },
  {
    name: 'QoS 2 without end, by 20 clients',
    async prepare(target) {
      const clients = await openMany(20, () => AttackClient.open(target));
      await openMany(5, () => subscriber(target, [{ filter: 'flood', qos: 2 }]));
      const exchanges = Array.from({ length: 500 }, (_, i) =>
        Buffer.concat([
          wire.publish(5, { topic: 'flood', payload: 'x', qos: 2, id: i + 1 }),
          wire.ack('pubrel', i + 1),
        ]),
      );
      const chunk = Buffer.concat(exchanges);
      return () => {
        for (const client of clients) client.flood(() => chunk);
      };
    },
  },
  {
    name: '3,000 clients with wills lost at once',
    async prepare(target) {
      await openMany(30, () => subscriber(target, ['will/#']));
      const will = { topic: 'will/all', payload: Buffer.alloc(2000) };
      return () =>
        forEver(async () => {
          const clients = await openMany(3000, () => AttackClient.open(target, { will }));
          for (const client of clients) client.destroy();
          await new Promise((resolve) => setTimeout(resolve, 500));
        });
    },
  },
  {
    name: 'one Client Identifier, taken over all the time',
    async prepare(target) {
      const fields = { clientId: 'same', clean: false, properties: FOR_LONG };
      return () => {
        for (let i = 0; i < 30; i++) {
          forEver(async () => {
            const client = await AttackClient.open(target, fields);
            await client.answer();
          });
        }
      };
    },
  },
  {
    name: 'packets of 2 bytes, by 50 clients',
    async prepare(target) {
      const clients = await openMany(50, () => AttackClient.open(target));
      const chunk = repeated(wire.PINGREQ, 65_536);
      return () => {
        for (const client of clients) client.flood(() => chunk);
      };
    },
  },
  {
    name: 'acknowledgements for nothing, by 50 clients',
    async prepare(target) {
      const clients = await openMany(50, () => AttackClient.open(target));
      const chunk = repeated(wire.ack('pubcomp', 7), 65_536);
      return () => {
        for (const client of clients) client.flood(() => chunk);
      };
    },
  },
  {
    name: 'new topics of 128 levels, by 20 clients',
    async prepare(target) {
      const clients = await openMany(20, () => AttackClient.open(target));
      let n = 0;
      const next = (): Buffer =>
        Buffer.concat(
          Array.from({ length: 200 }, () => {
            n += 1;
            return wire.publish(5, { topic: `${'a/'.repeat(120)}${n}`, payload: 'x' });
          }),
        );
      return () => {
        for (const client of clients) client.flood(next);
      };
    },
  },
  {
    name: '300 publishers at full speed',
    async prepare(target) {
      const begins: (() => void)[] = [];
      for (let i = 0; i < 300; i++) begins.push(await floodTopic(target, `flood/${i}`, 64));
      return () => {
        for (const begin of begins) begin();
      };
    },
  },
  {
    name: 'connections without CONNECT, opened and closed',
    async prepare(target) {
      return () => {
        for (let i = 0; i < 50; i++) {
          forEver(async () => {
            const client = new AttackClient(target);
            client.socket.write(Buffer.from([0x30, 0]));
            await client.answer();
          });
        }
      };
    },
  },
  {
    name: 'TLS handshakes',
    listener: 'tls',
    async prepare({ host, port }) {
      return () => {
        for (let i = 0; i < 30; i++) {
          forEver(
            () =>
              new Promise((resolve) => {
                const socket = connectTls({ host, port, rejectUnauthorized: false });
                socket.on('secureConnect', () => socket.destroy());
                socket.on('error', () => undefined);
                socket.on('close', () => resolve());
              }),
          );
        }
      };
    },
  },
  {
    name: 'WebSocket upgrades',
    listener: 'ws',
    async prepare({ host, port }) {
      return () => {
        for (let i = 0; i < 50; i++) {
          forEver(async () => {
            const client = await upgraded({ host, port });
            client.destroy();
          });
        }
      };
    },
  },
  {
    name: 'WebSocket frames of a byte, parts of messages without end, by 50 clients',
    listener: 'ws',
    async prepare(target) {
      const chunk = repeated(webSocketFrame(CONTINUATION, Buffer.alloc(1)), 65_536);
      return () => {
        for (let i = 0; i < 50; i++) {
          forEver(async () => {
            const client = await upgraded(target);
            client.socket.write(webSocketFrame(BINARY, wire.connect({ clientId: `frames-${i}` })));
            await client.answer();
            client.socket.write(webSocketFrame(BEGUN, Buffer.alloc(1)));
            client.flood(() => chunk);
            await new Promise((closed) => client.socket.once('close', closed));
          });
        }
      };
    },
  },
  {
    name: 'WebSocket pings, by 50 clients',
    listener: 'ws',
    async prepare(target) {
      const clients = await openMany(50, () => upgraded(target));
      const chunk = repeated(webSocketFrame(PING, Buffer.alloc(0)), 65_536);
      return () => {
        for (const client of clients) client.flood(() => chunk);
      };
    },
  },
  {
    name: 'CONNECT with a will of 60 KB, again and again, on a disk',
    isStored: true,
    async prepare(target) {
      let n = 0;
      const will = { topic: 'w', payload: Buffer.alloc(60_000) };
      return () => {
        for (let i = 0; i < 20; i++) {
          forEver(async () => {
            n += 1;
            const fields = { clientId: `will-${n % 2000}`, will, properties: FOR_LONG };
            const client = await AttackClient.open(target, fields);
            client.destroy();
          });
        }
      };
    },
  },
  {
    name: 'QoS 1 to stored sessions, as fast as the disk takes it',
    isStored: true,
    async prepare(target) {
      const session = { clean: false, properties: FOR_LONG };
      for (let i = 0; i < 20; i++) {
        const owner = await subscriber(target, [{ filter: 'kept', qos: 1 }], {
          clientId: `kept-${i}`,
          ...session,
        });
        owner.destroy();
      }
      return floodTopic(target, 'kept', 500, 1);
    },
  },
];
