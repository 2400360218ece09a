// Fuzz targets: what a client, or any program that reaches a listener, sends.

import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { Duplex } from 'node:stream';
import { parseProxyHeader } from '../../../src/net/clients/proxy-header.ts';
import type { Transport } from '../../../src/net/clients/transport.ts';
import { WebSocketAcceptor } from '../../../src/net/clients/websocket.ts';
import { World } from '../../support/mqtt-world.ts';
import { type FuzzTarget, sources } from '../engine/target.ts';

const PACKET_BYTES_MAX = 4096;
const HEADER_BYTES_MAX = 16 + 2048;

/** What a broker answers to the bytes, which come in chunks of `chunkBytes`. */
function answersTo(input: Buffer, chunkBytes: number): string {
  const world = new World({ packetBytesMax: PACKET_BYTES_MAX });
  const answers: Buffer[] = [];
  let end = '';
  const outbox = {
    congested: false,
    write: (bytes: Buffer, start: number, stop: number) => {
      answers.push(Buffer.from(bytes.subarray(start, stop)));
    },
    close: () => {
      end = ' closed';
    },
    pauseReading: () => undefined,
    resumeReading: () => undefined,
  };
  const client = world.broker.accept(outbox, { remoteAddress: '10.0.0.1' }, world.now);
  for (let at = 0; at < input.length && end === ''; at += chunkBytes) {
    world.beginTurn();
    client.receive(Buffer.from(input.subarray(at, at + chunkBytes)), world.now);
  }
  client.disconnected(world.now);
  const retained = [...world.broker.context.sessions.all()].map(({ clientId }) => clientId);
  return `${Buffer.concat(answers).toString('hex')}${end} ${retained}`;
}

const mqtt: FuzzTarget = {
  name: 'mqtt',
  what: 'bytes of an MQTT client, whole and byte by byte, which must get the same answers',
  bytesMax: 600,
  words: ['MQTT', 'MQIsdp', 'a/b', '#', '+', '$share/g/', '$SYS', Buffer.from([0xc0, 0])],
  covers: sources('/mqtt/', '/broker/client/'),
  run: (input) => {
    const whole = answersTo(input, Math.max(1, input.length));
    assert.equal(answersTo(input, 1), whole, 'byte by byte gives other answers');
    assert.equal(answersTo(input, 7), whole, 'chunks give other answers');
  },
};

const proxyHeader: FuzzTarget = {
  name: 'proxy-header',
  what: 'PROXY headers of version 1 and 2',
  bytesMax: 2100,
  words: ['PROXY ', 'TCP4 ', 'TCP6 ', 'UNKNOWN', '\r\n', '::1', '127.0.0.1', ' 1883'],
  covers: sources('/net/clients/proxy-header'),
  run: (input) => {
    const whole = parseProxyHeader(input);
    if (whole === 'incomplete') {
      const filled = Buffer.concat([input, Buffer.alloc(HEADER_BYTES_MAX)]);
      assert.notEqual(parseProxyHeader(filled), 'incomplete', 'it waits for ever');
      return;
    }
    // What is refused early is refused as a whole, and what is complete does not change.
    for (let length = 0; length < input.length; length++) {
      const part = parseProxyHeader(input.subarray(0, length));
      if (part !== 'incomplete') assert.deepEqual(part, whole);
    }
    if (whole === 'invalid') return;
    assert.ok(whole.bytes > 0 && whole.bytes <= input.length);
    if (whole.source === undefined) return;
    assert.notEqual(isIP(whole.source.address), 0);
    assert.ok(whole.source.port >= 0 && whole.source.port <= 65_535);
  },
};

const UPGRADE =
  'GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n' +
  'Sec-WebSocket-Protocol: mqtt\r\n\r\n';
const acceptor = new WebSocketAcceptor({
  messageBytesMax: PACKET_BYTES_MAX,
  paths: ['/mqtt'],
  origins: undefined,
});

/** @returns the payload bytes that came out */
async function webSocketBytes(input: Buffer, chunkBytes: number): Promise<string> {
  const received: Buffer[] = [];
  const stream = new Duplex({ read: () => undefined, write: (_bytes, _encoding, done) => done() });
  stream.on('error', () => undefined);
  let transport: Transport | undefined;
  acceptor.accept(stream, {
    opened: (opened) => {
      transport = opened;
      opened.on('data', (chunk) => received.push(Buffer.from(chunk)));
      opened.on('error', () => undefined);
      opened.resume();
    },
    refused: () => undefined,
  });
  for (let at = 0; at < input.length; at += chunkBytes) {
    // The frames are unmasked in place.
    stream.push(Buffer.from(input.subarray(at, at + chunkBytes)));
    await new Promise(setImmediate);
  }
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  transport?.destroy();
  stream.destroy();
  const bytes = Buffer.concat(received);
  assert.ok(bytes.length <= input.length, 'more came out than went in');
  return bytes.toString('hex');
}

const webSocket: FuzzTarget = {
  name: 'websocket',
  what: 'an HTTP upgrade (if the first byte is 0: a right one) and WebSocket frames, in chunks of two sizes',
  bytesMax: 700,
  words: [UPGRADE, '\r\n', 'Sec-WebSocket-', 'Origin: ', Buffer.from([0x82, 0x85, 0, 0, 0, 0])],
  covers: sources('/net/clients/websocket'),
  run: async (input) => {
    const bytes = input[0] === 0 ? Buffer.concat([Buffer.from(UPGRADE), input.subarray(1)]) : input;
    const whole = await webSocketBytes(bytes, bytes.length + 1);
    assert.equal(await webSocketBytes(bytes, 61), whole, 'chunks give other bytes');
  },
};

export const clientTargets: readonly FuzzTarget[] = [mqtt, proxyHeader, webSocket];
