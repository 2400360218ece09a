import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type EventEmitter, once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import type { Transport } from '../../../../src/net/clients/transport.ts';
import { refusalOf, WebSocketAcceptor } from '../../../../src/net/clients/websocket.ts';

type Served = Transport & EventEmitter;

const Opcode = { text: 1, binary: 2, close: 8, ping: 9 } as const;
const UPGRADE = [
  'GET /mqtt HTTP/1.1',
  'Host: x',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
  'Sec-WebSocket-Protocol: mqtt',
];
const MASK = Buffer.from([0, 0, 0, 0]);
const CLOSE_MS_MAX = 5_000;

/** Both ends of a connection; the server's as a transport, the client's as bare bytes. */
async function withPair(
  body: (transport: Served, client: Socket, socket: Socket) => Promise<void>,
): Promise<void> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const client = connect(address.port, '127.0.0.1').on('error', () => undefined);
  const [socket] = (await once(server, 'connection')) as [Socket];
  socket.on('error', () => undefined);
  try {
    const served = new Promise<Served>((resolve) => {
      const rules = { messageBytesMax: 1_000_000, paths: ['/mqtt'], origins: undefined };
      new WebSocketAcceptor(rules).accept(socket, {
        opened: (transport) => resolve(transport as Served),
        refused: ({ reason }) => assert.fail(reason),
      });
    });
    client.write(`${UPGRADE.join('\r\n')}\r\n\r\n`);
    const transport = await served;
    let answer = '';
    while (!answer.endsWith('\r\n\r\n')) answer += String((await once(client, 'data'))[0]);
    await body(transport, client, socket);
  } finally {
    client.destroy();
    socket.destroy();
    server.close();
  }
}

/** A frame whose mask changes nothing. */
function frame(opcode: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | payload.length]), MASK, payload]);
}

async function readBytes(client: Socket, count: number): Promise<Buffer> {
  let bytes = Buffer.alloc(0);
  while (bytes.length < count) {
    const [chunk] = (await once(client, 'data')) as [Buffer];
    bytes = Buffer.concat([bytes, chunk]);
  }
  return bytes;
}

test('bytes that the client has not read are counted, and a drain event follows when it reads', async () => {
  await withPair(async (transport, client) => {
    client.pause();
    const payload = Buffer.alloc(1_000_000);
    for (let i = 0; i < 20; i++) transport.write(payload);
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(transport.writableLength > 1_000_000);
    const drained = once(transport, 'drain');
    client.resume();
    await drained;
    assert.ok(transport.writableLength < 1_000_000);
  });
});

test('a paused transport delivers nothing, and everything in order when it resumes', async () => {
  await withPair(async (transport, client) => {
    const seen: string[] = [];
    transport.on('data', (bytes: Buffer) => seen.push(bytes.toString()));
    transport.pause();
    client.write(frame(Opcode.binary, Buffer.from('one')));
    client.write(frame(Opcode.binary, Buffer.from('two')));
    // The answer to the ping comes only after everything before it was read.
    client.write(frame(Opcode.ping, Buffer.from('?')));
    const pong = readBytes(client, 3);
    transport.resume();
    assert.equal((await pong).toString('hex'), '8a013f');
    assert.equal(seen.join(''), 'onetwo');
  });
});

test('pings of a client that does not read are not answered', async () => {
  await withPair(async (transport, client) => {
    client.pause();
    transport.write(Buffer.alloc(20_000_000));
    await new Promise((resolve) => setImmediate(resolve));
    const before = transport.writableLength;
    const ping = frame(Opcode.ping, Buffer.alloc(125));
    client.write(Buffer.concat(Array(1000).fill(ping)));
    const last = once(transport, 'data');
    client.write(frame(Opcode.binary, Buffer.from('after')));
    await last;
    assert.ok(transport.writableLength <= before);
  });
});

test("closing: the broker's Close, the answer, the end", async () => {
  await withPair(async (transport, client) => {
    const closed = once(transport, 'close');
    transport.write(Buffer.from('last'));
    transport.end();
    assert.equal(transport.writable, false);
    transport.write(Buffer.from('never'));
    assert.equal((await readBytes(client, 10)).toString('hex'), '82046c617374880203e8');
    client.write(frame(Opcode.close, Buffer.from([3, 0xe8])));
    await closed;
  });
});

test('a client that breaks the protocol and does not close is cut off after a while', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  await withPair(async (transport, client) => {
    const seen: Buffer[] = [];
    transport.on('data', (bytes: Buffer) => seen.push(bytes));
    const closed = once(transport, 'close');
    client.write(frame(Opcode.text, Buffer.from('hello')));
    assert.equal((await readBytes(client, 4)).readUInt16BE(2), 1003);
    client.pause();
    client.write(frame(Opcode.binary, Buffer.from('later')));
    t.mock.timers.tick(CLOSE_MS_MAX);
    await closed;
    assert.equal(seen.length, 0);
  });
});

test('what comes after a fault waits for its turn after each read', async () => {
  await withPair(async (_transport, client, socket) => {
    client.write(frame(Opcode.text, Buffer.from('hello')));
    await readBytes(client, 4);
    const waits: boolean[] = [];
    // One frame, so that their number is no reason to wait.
    const begun = Buffer.from([0x82, 0x80 | 127, 0, 0, 0, 0, 0, 0x7a, 0x12, 0, ...MASK]);
    const all = new Promise<void>((done) => {
      let bytes = 0;
      // The transport has listened before.
      socket.on('data', (chunk) => {
        waits.push(socket.isPaused());
        bytes += chunk.length;
        if (bytes === begun.length + 8_000_000) done();
      });
    });
    client.write(begun);
    client.write(Buffer.alloc(8_000_000));
    await all;
    assert.ok(waits.every((one) => one));
  });
});

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * @param later what the client sends once the first bytes were read
 * @returns each reason for which the gate refuses the client, until it is closed
 */
async function refusalsFor(firstBytes: Buffer, later?: Buffer): Promise<string[]> {
  const reasons: string[] = [];
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const client = connect(address.port, '127.0.0.1')
    .on('error', () => undefined)
    .resume();
  try {
    const [socket] = (await once(server, 'connection')) as [Socket];
    socket.on('error', () => undefined);
    const rules = { messageBytesMax: 1000, paths: ['/mqtt'], origins: undefined };
    new WebSocketAcceptor(rules).accept(socket, {
      opened: () => reasons.push('opened'),
      refused: ({ reason }) => reasons.push(reason),
    });
    const closed = new Promise((resolve) => client.once('close', resolve));
    client.write(firstBytes);
    if (later !== undefined) {
      while (socket.bytesRead < firstBytes.length && !socket.destroyed) await nextTurn();
      client.write(later);
    }
    await closed;
    return reasons;
  } finally {
    client.destroy();
    server.close();
  }
}

test('of thousands of requests that come at once only the first is looked at', async () => {
  const ordinary = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
  const upgrade = `${UPGRADE.join('\r\n')}\r\n\r\n`;
  const reason = 'not a WebSocket upgrade';
  assert.deepEqual(await refusalsFor(Buffer.from(ordinary.repeat(2000))), [reason]);
  assert.deepEqual(await refusalsFor(Buffer.from(ordinary + upgrade)), [reason]);
});

test('node:http gets one request of a connection, whatever is in front of the thousands', async () => {
  let requests = 0;
  const count = (): void => {
    requests += 1;
  };
  const head = 'GET / HTTP/1.1\r\nHost: x\r\n';
  const ordinary = `${head}\r\n`;
  const flood = Buffer.from(ordinary.repeat(2000));
  const fronts = [
    '\r\n',
    '\r\n\r\n',
    ordinary,
    'GET / HTTP/1.1\r\n\r\n',
    `${head}Expect: 100-continue\r\n\r\n`,
    `${head}Expect: more\r\n\r\n`,
    `${head}Content-Length: 1\r\n\r\nx`,
  ];
  subscribe('http.server.request.start', count);
  try {
    for (const front of fronts) {
      requests = 0;
      const refusals = await refusalsFor(Buffer.from(front), flood);
      assert.deepEqual(refusals, ['not a WebSocket upgrade'], JSON.stringify(front));
      assert.ok(requests <= 1, `${requests} behind ${JSON.stringify(front)}`);
    }
    assert.deepEqual(await refusalsFor(Buffer.from('\r\n'.repeat(5000)), flood), [
      'not an HTTP request',
    ]);
  } finally {
    unsubscribe('http.server.request.start', count);
  }
});

/** @returns why the gate refuses a client whose first bytes are these */
async function refusalFor(firstBytes: Buffer): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const client = connect(address.port, '127.0.0.1').on('error', () => undefined);
  try {
    const [socket] = (await once(server, 'connection')) as [Socket];
    return await new Promise((resolve) => {
      const rules = { messageBytesMax: 1000, paths: ['/mqtt'], origins: undefined };
      new WebSocketAcceptor(rules).accept(socket, {
        opened: () => resolve('opened'),
        refused: ({ reason }) => resolve(reason),
      });
      client.write(firstBytes);
    });
  } finally {
    client.destroy();
    server.close();
  }
}

test('the refusal of plain MQTT says that WebSocket is missing', async () => {
  const hint = 'not an HTTP request: MQTT without WebSocket?';
  const mqtt = Buffer.from('\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01a', 'latin1');
  assert.equal(await refusalFor(mqtt), hint);
  const old = Buffer.from('\x10\x0f\0\x06MQIsdp\x03\x02\0\x3c\0\x01a', 'latin1');
  assert.equal(await refusalFor(old), hint);
  assert.equal(await refusalFor(Buffer.from([0x16, 3, 1, 0, 0])), 'not an HTTP request');
});

const allowed = (url: string, paths: readonly string[]): boolean =>
  refusalOf({ url, headers: { 'sec-websocket-protocol': 'mqtt' } } as unknown as IncomingMessage, {
    messageBytesMax: 1000,
    paths,
    origins: undefined,
  })?.status !== 404;

test('a path counts in all its spellings: doubled slashes, a slash at the end, a query, an absolute target', () => {
  const spellings = ['/mqtt', '/mqtt/', '//mqtt', '/mqtt?x=1', '/mqtt/?x=1', 'http://host:80/mqtt'];
  for (const url of spellings) assert.equal(allowed(url, ['/mqtt']), true, url);
  for (const url of ['/', '/ws', '/mqtt/x', '/MQTT', 'http://host', '', '*']) {
    assert.equal(allowed(url, ['/mqtt']), false, url);
  }
  for (const url of ['/', '', '//', 'http://host', '/?x=1']) {
    assert.equal(allowed(url, ['/mqtt', '/']), true, url);
  }
});

test('a listener serves the paths that it is given, or any path', () => {
  assert.equal(allowed('/devices/ws', ['/devices/ws/']), true);
  assert.equal(allowed('/mqtt', ['/devices/ws/']), false);
  for (const url of ['/', '/anything/else', '/mqtt']) assert.equal(allowed(url, ['*']), true, url);
});

test('a page of another origin is refused, a program without one is not, and * allows every page', () => {
  const status = (origin: string | undefined, origins: readonly string[]): number | undefined => {
    const headers = { 'sec-websocket-protocol': 'mqtt', ...(origin !== undefined && { origin }) };
    const request = { url: '/', headers } as unknown as IncomingMessage;
    return refusalOf(request, { messageBytesMax: 1000, paths: ['/'], origins })?.status;
  };
  assert.equal(status('https://other.example', ['https://own.example']), 403);
  assert.equal(status('https://own.example', ['https://own.example']), undefined);
  assert.equal(status(undefined, ['https://own.example']), undefined);
  assert.equal(status('https://other.example', ['*']), undefined);
});

test('many small messages of one read are passed on together, in order', async () => {
  await withPair(async (transport, client) => {
    const chunks: Buffer[] = [];
    const done = new Promise<void>((resolve) => {
      transport.on('data', (bytes: Buffer) => {
        chunks.push(bytes);
        if (Buffer.concat(chunks).length === 1000) resolve();
      });
    });
    const frames = Array.from({ length: 1000 }, (_, i) =>
      frame(Opcode.binary, Buffer.from([i & 0xff])),
    );
    client.write(Buffer.concat(frames));
    await done;
    const bytes = [...Buffer.concat(chunks)];
    assert.deepEqual(
      bytes,
      bytes.map((_, i) => i & 0xff),
    );
    assert.ok(chunks.length < 20, `${chunks.length} chunks`);
  });
});

test('of many pings in one turn only the last is answered', async () => {
  await withPair(async (_transport, client) => {
    const pings = Array.from({ length: 200 }, (_, i) => frame(Opcode.ping, Buffer.from([i])));
    client.write(Buffer.concat(pings));
    let bytes = Buffer.alloc(0);
    while (bytes.at(-1) !== 199) {
      bytes = Buffer.concat([bytes, ((await once(client, 'data')) as [Buffer])[0]]);
    }
    assert.ok(bytes.length < 20 * 3, `${bytes.length} bytes of pongs`);
  });
});

test('what has arrived of an unfinished message is reported, and nothing once it is complete', async () => {
  await withPair(async (transport, client) => {
    const reports: number[] = [];
    transport.on('unfinished', (bytes) => reports.push(bytes));
    const begun = Buffer.from([0x82, 0x80 | 127, 0, 0, 0, 0, 0, 0x07, 0xa1, 0x20, ...MASK]);
    client.write(begun);
    client.write(Buffer.alloc(400_000));
    while ((reports.at(-1) ?? 0) < 400_000) await once(transport, 'unfinished');
    assert.ok(reports.at(-1)! < 700_000, `${reports.at(-1)}`);
    const complete = once(transport, 'data');
    client.write(Buffer.alloc(100_000));
    await complete;
    while (reports.at(-1) !== 0) await once(transport, 'unfinished');
    for (let i = 0; i < 100; i++) client.write(frame(Opcode.binary, Buffer.alloc(100)));
    await once(transport, 'data');
    assert.equal(reports.at(-1), 0, 'whole messages are not counted');
  });
});

/** A stream that has read nothing yet of what the test pushes. */
function silentStream(): Duplex {
  return new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
}

test('a client that sends very many frames waits a turn after each read, and is not read while it is paused', async () => {
  const stream = silentStream();
  const opened = new Promise<Served>((resolve) => {
    const rules = { messageBytesMax: 1_000_000, paths: ['/mqtt'], origins: undefined };
    new WebSocketAcceptor(rules).accept(stream, {
      opened: (transport) => resolve(transport as Served),
      refused: ({ reason }) => assert.fail(reason),
    });
  });
  stream.push(`${UPGRADE.join('\r\n')}\r\n\r\n`);
  const transport = await opened;
  let received = 0;
  transport.on('data', (chunk) => {
    received += chunk.length;
  });
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const empty = frame(Opcode.binary, Buffer.alloc(0));
  const framesOfOneRead = 2_000;
  const oneRead = Buffer.concat([
    ...Array<Buffer>(framesOfOneRead).fill(empty),
    frame(Opcode.binary, Buffer.from([1])),
  ]);
  for (let i = 0; i < 10; i++) stream.push(oneRead);
  let turns = 0;
  let receivedBefore = 0;
  while (received < 4) {
    await turn();
    turns += 1;
    // The order of the callbacks within a turn may add one.
    assert.ok(received - receivedBefore <= 2, `${received - receivedBefore} reads in one turn`);
    receivedBefore = received;
  }
  assert.ok(turns >= 2);
  transport.pause();
  // Its turn comes, and the next one, without a read.
  for (let i = 0; i < 3; i++) await turn();
  assert.equal(received, receivedBefore);
  transport.resume();
  while (received < 10) await turn();
  stream.destroy();
});
