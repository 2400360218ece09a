// Attacks on every other door of a node than its MQTT listeners: the HTTP API, the control socket, the ports of
// the cluster, and the far side of a bridge. Each prepares, and returns what begins the attack, which then goes on
// until its process ends.

import { randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect, createServer, type NetConnectOpts, type Socket } from 'node:net';
import { json } from 'node:stream/consumers';
import { deriveKeyRing } from '../../src/shared/key-ring.ts';
import * as wire from '../support/wire.ts';
import { AttackClient, openMany, type Target } from './attack-client.ts';

/** Where an attacker reaches the node. */
export interface Doors extends Target {
  readonly http: number;
  readonly control: string;
  readonly gossip: number;
  /** UDP, and TCP with -large. */
  readonly sync: number;
  /** Where the node's bridge expects its far side. */
  readonly far: number;
  /** Of the cluster: only for headers that look right. */
  readonly token: string;
}

export interface DoorAttack {
  readonly name: string;
  /** What bounds it. */
  readonly bound: string;
  readonly flags?: readonly string[];
  /** The node has a bridge to `far`. */
  readonly hasBridge?: boolean;
  prepare(doors: Doors): Promise<() => void>;
}

const STREAM = 'GET /api/v1/site HTTP/1.1\r\nHost: localhost\r\n\r\n';
const GET = 'GET /api/v1/clients?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n';
const FLOOD_TURN_MS = 2;
const FLOOD_DATAGRAMS = 100;
/** More would not fit into the descriptors of one process. */
const MANY = 15_000;

function dial(place: NetConnectOpts): Socket {
  const socket = connect(place);
  socket.on('error', () => undefined).on('data', () => undefined);
  return socket;
}

/** Opens the door for a new box. @returns its port */
async function invite(control: string): Promise<number> {
  const path = '/api/v1/invitations';
  const asked = request({ socketPath: control, path, method: 'POST' }).end();
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  return ((await json(answer)) as { port: number }).port;
}

/** Keeps so many connections open: whatever the node closes is opened again. */
function keepOpen(count: number, open: () => Socket): () => void {
  const one = (): void => {
    open().once('close', () => setTimeout(one, 10));
  };
  return () => {
    for (let i = 0; i < count; i++) one();
  };
}

/** Sends the text again and again, as fast as the node takes it. */
function sendForEver(socket: Socket, text: string | Buffer): void {
  const next = (): void => {
    if (socket.destroyed) return;
    if (socket.write(text)) setImmediate(next);
    else socket.once('drain', next);
  };
  socket.once('connect', next);
}

function floodUdp(port: (n: number) => number, datagram: () => Buffer): () => void {
  const socket = dgram.createSocket('udp4');
  socket.on('error', () => undefined);
  return () => {
    setInterval(() => {
      for (let n = 0; n < FLOOD_DATAGRAMS; n++) socket.send(datagram(), port(n), '127.0.0.1');
    }, FLOOD_TURN_MS);
  };
}

/** A far side that accepts the bridge and floods it with what it has subscribed to. */
async function hostileFarSide({ far }: Doors): Promise<() => void> {
  const sockets: Socket[] = [];
  const payload = Buffer.alloc(500);
  const chunk = Buffer.concat(Array(100).fill(wire.publish(4, { topic: 'down/x', payload })));
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    let isOpen = false;
    socket.on('data', (bytes: Buffer) => {
      if (!isOpen) socket.write(Buffer.from([0x20, 2, 0, 0]));
      isOpen = true;
      // SUBSCRIBE: granted, whatever it asks for.
      const at = bytes.indexOf(0x82);
      if (at >= 0) socket.write(Buffer.from([0x90, 3, bytes[at + 2] ?? 0, bytes[at + 3] ?? 1, 0]));
    });
  });
  await new Promise<void>((resolve) => server.listen(far, '127.0.0.1', resolve));
  return () => {
    const flood = (socket: Socket): void => {
      if (socket.destroyed) return;
      if (socket.write(chunk)) setImmediate(() => flood(socket));
      else socket.once('drain', () => flood(socket));
    };
    for (const socket of sockets) flood(socket);
    server.on('connection', flood);
  };
}

export const doorAttacks: readonly DoorAttack[] = [
  {
    name: '-http: 500 connections that send a header byte by byte',
    bound: '128 connections; 10 s for the headers',
    async prepare({ host, http: port }) {
      return keepOpen(500, () => {
        const socket = dial({ host, port });
        socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nX: ');
        const timer = setInterval(() => socket.write('x'), 500);
        socket.once('close', () => clearInterval(timer));
        return socket;
      });
    },
  },
  {
    name: '-http: 200 streams of events that are not read',
    bound: '32 streams; 256 KiB each',
    async prepare({ host, http: port }) {
      return keepOpen(200, () => {
        const socket = dial({ host, port });
        socket.write(STREAM);
        socket.pause();
        return socket;
      });
    },
  },
  {
    name: '-http: 50 bodies without end',
    bound: '1 MiB; 30 s for a request',
    async prepare({ host, http: port }) {
      const head =
        'POST /api/v1/publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 999999999\r\n\r\n';
      return keepOpen(50, () => {
        const socket = dial({ host, port });
        socket.write(head);
        sendForEver(socket, 'x'.repeat(65_536));
        return socket;
      });
    },
  },
  {
    name: '-http: thousands of requests at once, by 100 connections',
    bound: '2 KiB of one connection in a turn',
    async prepare({ host, http: port }) {
      const all = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(1800);
      return keepOpen(100, () => {
        const socket = dial({ host, port });
        socket.write(all);
        return socket;
      });
    },
  },
  {
    name: '-http: the largest page of clients, asked by 100 connections all the time',
    bound: '128 connections, one request at a time each',
    async prepare(doors) {
      const { host, http: port } = doors;
      await openMany(2000, () => AttackClient.open(doors));
      return keepOpen(100, () => {
        const socket = dial({ host, port });
        socket.on('data', (chunk: Buffer) => {
          if (chunk.includes('}')) socket.write(GET);
        });
        socket.write(GET);
        return socket;
      });
    },
  },
  {
    name: 'control socket: 500 connections that say nothing',
    bound: '128 connections; 10 s for the headers',
    async prepare({ control: path }) {
      return keepOpen(500, () => dial({ path }));
    },
  },
  {
    name: 'TCP 7947: 500 connections that say nothing or send noise',
    bound: '64 handshakes; 5 s each',
    flags: ['-large=64K', '-roaming'],
    async prepare({ host, sync: port }) {
      let n = 0;
      return keepOpen(500, () => {
        const socket = dial({ host, port });
        n += 1;
        if (n % 2 === 0) socket.write(randomBytes(300));
        return socket;
      });
    },
  },
  {
    name: 'door of invitations: 500 connections that say nothing, send noise or half a handshake',
    bound: '16 connections, 5 s each; 20 a second of one address',
    async prepare({ host, control }) {
      const port = await invite(control);
      const said = [Buffer.alloc(0), randomBytes(300), Buffer.from('16030102000100', 'hex')];
      let n = 0;
      return keepOpen(500, () => {
        const socket = dial({ host, port });
        n += 1;
        socket.write(said[n % said.length]!);
        return socket;
      });
    },
  },
  {
    name: 'UDP 7946 and 7947: 50,000 forged datagrams a second with right headers',
    bound: 'dropped after their MAC was checked',
    async prepare({ gossip, sync, token }) {
      const ring = await deriveKeyRing([token], 'shoal');
      const forged = randomBytes(1200);
      forged.write('SH\x01\x00', 0, 'latin1');
      forged.writeUInt32BE(ring.gossip.signing.id, 4);
      const forSync = Buffer.from(forged);
      forSync.writeUInt32BE(ring.sync.signing.id, 4);
      let n = 0;
      return floodUdp(
        (i) => (i % 2 === 0 ? gossip : sync),
        () => {
          n += 1;
          return n % 2 === 1 ? forged : forSync;
        },
      );
    },
  },
  {
    name: 'a bridge whose far side floods it',
    bound: 'read as fast as the node publishes; -memory-limit',
    hasBridge: true,
    prepare: hostileFarSide,
  },
  {
    name: `${MANY.toLocaleString('en')} connections that stay, each with a session`,
    bound: '-max-connections, file descriptors, -memory-limit',
    flags: ['-memory-limit=400M'],
    async prepare(doors) {
      let n = 0;
      await openMany(MANY, () => {
        n += 1;
        return AttackClient.open(doors, {}, `127.0.1.${1 + (n % 200)}`);
      });
      return () => undefined;
    },
  },
  {
    name: 'logins with wrong passwords, by 100 connections from one address',
    bound: '3 checks at a time, addresses in turn; -ban-failures',
    async prepare(doors) {
      const again = async (): Promise<void> => {
        const fields = { username: 'ann', password: randomBytes(6).toString('hex') };
        const client = await AttackClient.open(doors, fields, '127.0.0.3');
        client.destroy();
        setImmediate(() => void again());
      };
      return () => {
        for (let i = 0; i < 100; i++) void again();
      };
    },
  },
];
