// The listeners of the bundle as clients see them: WebSocket, PROXY headers, limits, several at once.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as dial } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import mqtt from 'mqtt';
import { WebSocket } from 'ws';
import { RawClient } from '../support/raw-client.ts';
import { loopbackFlags, ShoalProcess } from '../support/shoal-process.ts';
import { connect, PINGREQ, publish, subscribe } from '../support/wire.ts';

const folder = mkdtempSync(join(tmpdir(), 'shoal-listeners-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const CONNACK_BYTES = 4;
const PROXY_LINE = 'PROXY TCP4 203.0.113.7 192.0.2.1 40000 1883\r\n';
const UPGRADE = [
  'GET /mqtt HTTP/1.1',
  'Host: box',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
];
const SUBPROTOCOL = 'Sec-WebSocket-Protocol: mqtt';

async function withShoal(
  flags: readonly string[],
  body: (shoal: ShoalProcess) => Promise<void>,
): Promise<void> {
  const shoal = new ShoalProcess(loopbackFlags('n1', ...flags), { cwd: folder });
  try {
    await body(shoal);
  } finally {
    await shoal.kill();
  }
}

function request(...lines: string[]): string {
  return [...lines, '', ''].join('\r\n');
}

function connectPacket(clientId: string): Buffer {
  return connect({ version: 4, clientId });
}

async function openWebSocket(port: number, protocol = 'mqtt'): Promise<WebSocket> {
  const webSocket = new WebSocket(`ws://127.0.0.1:${port}/mqtt`, protocol);
  await new Promise((resolve, reject) => {
    webSocket.once('open', resolve);
    webSocket.once('error', reject);
  });
  return webSocket;
}

function nextMessage(webSocket: WebSocket): Promise<Buffer> {
  return new Promise((resolve) => webSocket.once('message', (data: Buffer) => resolve(data)));
}

test('clients over TCP and WebSocket, with MQTT 3.1 to 5, exchange messages', async () => {
  await withShoal(['-ws=0'], async (shoal) => {
    const tcpUrl = `mqtt://127.0.0.1:${await shoal.mqttPort()}`;
    const wsUrl = `ws://127.0.0.1:${await shoal.mqttPort('ws')}/mqtt`;
    const subscriber = await mqtt.connectAsync(tcpUrl, { protocolVersion: 5 });
    await subscriber.subscribeAsync('a/#', { qos: 2 });
    const heard: string[] = [];
    subscriber.on('message', (topic, payload) => heard.push(`${topic} ${payload.length}`));
    for (const options of [
      { protocolVersion: 5 },
      { protocolVersion: 4 },
      { protocolVersion: 3, protocolId: 'MQIsdp', clientId: 'old' },
    ] as const) {
      const publisher = await mqtt.connectAsync(wsUrl, { ...options, reconnectPeriod: 0 });
      const echo = new Promise<number>((resolve) => {
        publisher.once('message', (_topic, payload) => resolve(payload.length));
      });
      await publisher.subscribeAsync('a/+', { qos: 1 });
      await publisher.publishAsync(`a/v${options.protocolVersion}`, Buffer.alloc(200_000), {
        qos: 2,
      });
      assert.equal(await echo, 200_000);
      await publisher.endAsync();
    }
    assert.deepEqual(heard, ['a/v5 200000', 'a/v4 200000', 'a/v3 200000']);
    await subscriber.endAsync();
  });
});

test('the answered subprotocol is mqtt, or mqttv3.1 if the client offers only that', async () => {
  await withShoal(['-ws=0'], async (shoal) => {
    const port = await shoal.mqttPort('ws');
    for (const protocol of ['mqtt', 'mqttv3.1']) {
      const webSocket = await openWebSocket(port, protocol);
      assert.equal(webSocket.protocol, protocol);
      assert.equal(webSocket.extensions, '');
      webSocket.terminate();
    }
  });
});

test('a packet may span many frames, and one frame may hold many packets [MQTT5-6.0.0-2]', async () => {
  await withShoal(['-ws=0'], async (shoal) => {
    const webSocket = await openWebSocket(await shoal.mqttPort('ws'));
    const packet = connectPacket('c1');
    const connack = nextMessage(webSocket);
    for (const byte of packet.subarray(0, 6)) webSocket.send(Buffer.from([byte]));
    webSocket.send(packet.subarray(6, 8), { fin: false, binary: true });
    webSocket.send(Buffer.alloc(0), { fin: false, binary: true });
    webSocket.send(packet.subarray(8), { fin: true, binary: true });
    assert.equal((await connack).toString('hex'), '20020000');
    const answers = nextMessage(webSocket);
    const three = [subscribe(4, 7, [{ filter: 'a', qos: 0 }]), PINGREQ];
    webSocket.send(Buffer.concat([...three, publish(4, { topic: 'a', payload: 'x', qos: 0 })]));
    // SUBACK, PINGRESP and the PUBLISH arrive in one frame: the turn has one write.
    assert.equal((await answers).toString('hex'), '9003000700d000300400016178');
    webSocket.terminate();
  });
});

test('a text frame ends the connection with 1003 [MQTT5-6.0.0-1]', async () => {
  await withShoal(['-ws=0'], async (shoal) => {
    const webSocket = await openWebSocket(await shoal.mqttPort('ws'));
    const closed = new Promise((resolve) => webSocket.once('close', resolve));
    webSocket.send('hello');
    assert.equal(await closed, 1003);
  });
});

test('a WebSocket message larger than the packet limit ends the connection with 1009', async () => {
  await withShoal(['-ws=0', '-max-packet-size=1k'], async (shoal) => {
    const webSocket = await openWebSocket(await shoal.mqttPort('ws'));
    const closed = new Promise((resolve) => webSocket.once('close', resolve));
    webSocket.send(Buffer.alloc(100_000));
    assert.equal(await closed, 1009);
  });
});

test('a Close is answered with its own code, a breach of the protocol with 1002', async () => {
  await withShoal(['-ws=0'], async (shoal) => {
    const port = await shoal.mqttPort('ws');
    const polite = await openWebSocket(port);
    const closed = new Promise((resolve) => polite.once('close', resolve));
    polite.close(1001);
    assert.equal(await closed, 1001);
    const unmasked = RawClient.tcp(
      port,
      request(...UPGRADE, SUBPROTOCOL),
      Buffer.from('8200', 'hex'),
    );
    await unmasked.ended();
    assert.ok(unmasked.received.toString('hex').includes('880203ea'), 'Close, 1002');
    const pinging = await openWebSocket(port);
    const pong = new Promise((resolve) => pinging.once('pong', (data) => resolve(String(data))));
    pinging.ping('are you there');
    assert.equal(await pong, 'are you there');
    pinging.terminate();
  });
});

test('a request that is not MQTT over WebSocket gets an HTTP error', async () => {
  await withShoal(['-ws=0', '-ws-origin=https://good.example'], async (shoal) => {
    const port = await shoal.mqttPort('ws');
    for (const [status, text] of [
      [426, request('GET /mqtt HTTP/1.1', 'Host: box')],
      [404, request(...UPGRADE, SUBPROTOCOL).replace('/mqtt', '/admin')],
      [400, request(...UPGRADE)],
      [400, request(...UPGRADE, 'Sec-WebSocket-Protocol: chat')],
      [403, request(...UPGRADE, SUBPROTOCOL, 'Origin: https://evil.example')],
      [400, 'not http at all\r\n\r\n'],
      [400, connectPacket('c1')],
      [400, request(...UPGRADE, `X: ${'x'.repeat(10_000)}`)],
      [101, request(...UPGRADE, SUBPROTOCOL, 'Origin: https://good.example')],
      [101, request(...UPGRADE, 'Sec-WebSocket-Protocol: chat, mqttv3.1, mqtt')],
    ] as const) {
      const client = RawClient.tcp(port, text);
      const answer = (await client.bytes(12)).toString('latin1', 0, 12);
      assert.equal(answer, `HTTP/1.1 ${status}`, String(text));
      if (status !== 101) await client.ended();
      client.destroy();
    }
  });
});

test('a WebSocket client that does not read neither fills memory nor delays others', async () => {
  await withShoal(['-ws=0'], async (shoal) => {
    const slow = await openWebSocket(await shoal.mqttPort('ws'));
    const connack = nextMessage(slow);
    slow.send(connectPacket('slow'));
    await connack;
    const suback = nextMessage(slow);
    slow.send(subscribe(4, 1, [{ filter: 'flood', qos: 0 }]));
    await suback;
    slow.pause();
    const publisher = await mqtt.connectAsync(`mqtt://127.0.0.1:${await shoal.mqttPort()}`);
    const payload = Buffer.alloc(100_000);
    for (let i = 0; i < 1000; i++) await publisher.publishAsync('flood', payload, { qos: 1 });
    if (process.platform === 'linux') {
      assert.ok(shoal.residentBytes() < 200 * 1024 ** 2, `${shoal.residentBytes()} bytes`);
    }
    let bytes = 0;
    const last = new Promise<void>((resolve) => {
      slow.on('message', (data: Buffer) => {
        bytes += data.length;
        if (data.includes('the end')) resolve();
      });
    });
    slow.resume();
    await publisher.publishAsync('flood', 'the end', { qos: 1 });
    const again = setInterval(() => publisher.publish('flood', 'the end'), 100);
    await last;
    clearInterval(again);
    assert.ok(bytes > 500_000, `what was sent before it stopped reading arrives: ${bytes}`);
    slow.terminate();
    await publisher.endAsync();
  });
});

test("behind a load balancer the client's address is the one in the PROXY header", async () => {
  await withShoal(['-ws=0', '-proxy-protocol', '-log-level=debug'], async (shoal) => {
    const binary = Buffer.from('0d0a0d0a000d0a515549540a2111000ccb00710800000000b3af0000', 'hex');
    const local = Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex');
    const port = await shoal.mqttPort();
    for (const [name, from, header] of [
      ['line', '203.0.113.7', Buffer.from(PROXY_LINE)],
      ['binary', '203.0.113.8', binary],
      ['unknown', '127.0.0.1', Buffer.from('PROXY UNKNOWN\r\n')],
      ['local', '127.0.0.1', local],
    ] as const) {
      const packet = connectPacket(name);
      const whole = RawClient.tcp(port, Buffer.concat([header, packet]));
      await whole.bytes(CONNACK_BYTES);
      await shoal.waitFor(new RegExp(`client connected.* client=${name} from=${from}`));
      whole.destroy();

      const slowly = RawClient.tcp(port);
      for (const byte of Buffer.concat([header, packet])) {
        slowly.stream.write(Buffer.from([byte]));
        await new Promise((resolve) => setImmediate(resolve));
      }
      await slowly.bytes(CONNACK_BYTES);
      slowly.destroy();
    }
    const upgrade = PROXY_LINE + request(...UPGRADE, SUBPROTOCOL);
    const webSocket = RawClient.tcp(await shoal.mqttPort('ws'), upgrade);
    assert.match((await webSocket.bytes(12)).toString('latin1'), /^HTTP\/1\.1 101/);
    webSocket.destroy();
  });
});

test("the log names a client's listener and its port", async () => {
  await withShoal(['-ws=0', '-tls=off'], async (shoal) => {
    for (const protocol of ['tcp', 'ws'] as const) {
      const port = await shoal.mqttPort(protocol);
      const url = protocol === 'tcp' ? `mqtt://127.0.0.1:${port}` : `ws://127.0.0.1:${port}/mqtt`;
      const client = await mqtt.connectAsync(url, { clientId: protocol, reconnectPeriod: 0 });
      const where = `from=127\\.0\\.0\\.1 fromPort=\\d+ listener=127\\.0\\.0\\.1:${port} `;
      await shoal.waitFor(new RegExp(`client connected.* client=${protocol} ${where}`));
      await client.endAsync();
      await shoal.waitFor(new RegExp(`client disconnected.* client=${protocol} ${where}`));
    }
  });
  await withShoal(['-proxy-protocol'], async (shoal) => {
    const header = 'PROXY TCP4 203.0.113.7 192.0.2.1 40000 1883\r\n';
    const client = RawClient.tcp(
      await shoal.mqttPort(),
      Buffer.concat([Buffer.from(header), connectPacket('c1')]),
    );
    await shoal.waitFor(/client connected.* from=203\.0\.113\.7 fromPort=40000 /);
    client.destroy();
  });
});

test('a listener with proxy-protocol refuses a connection without a PROXY header', async () => {
  await withShoal(['-proxy-protocol'], async (shoal) => {
    const port = await shoal.mqttPort();
    for (const bytes of [
      connectPacket('c1'),
      'PROXY TCP4 999.0.0.1 192.0.2.1 40000 1883\r\n',
      `PROXY UNKNOWN ${'x'.repeat(200)}\r\n`,
    ]) {
      const client = RawClient.tcp(port, bytes);
      await client.ended();
      assert.equal(client.received.length, 0);
    }
    await shoal.waitFor(/connection refused.*no valid PROXY header/);
  });
});

test('a connection that does not reach MQTT in time is closed, also if it trickles bytes', async () => {
  await withShoal(['-ws=0', '-connect-timeout=1s'], async (shoal) => {
    const port = await shoal.mqttPort('ws');
    const started = performance.now();
    const silent = RawClient.tcp(port);
    const trickling = RawClient.tcp(port, 'GET /mqtt HTTP/1.1\r\n');
    const trickle = setInterval(() => trickling.stream.write('X: y\r\n'), 100);
    const idle = await openWebSocket(port);
    const idleEnded = new Promise((resolve) => idle.once('close', resolve));
    await Promise.all([silent.ended(), trickling.ended(), idleEnded]);
    clearInterval(trickle);
    const tookMs = performance.now() - started;
    assert.ok(tookMs > 900 && tookMs < 4000, `${tookMs} ms`);
    assert.equal(trickling.received.length, 0);
  });
});

test('connections count towards the limit before they send anything', async () => {
  await withShoal(['-max-connections=3'], async (shoal) => {
    const port = await shoal.mqttPort();
    const held = [RawClient.tcp(port), RawClient.tcp(port), RawClient.tcp(port)];
    await Promise.all(
      held.map(({ stream }) => new Promise((done) => stream.once('connect', done))),
    );
    const fourth = RawClient.tcp(port, connectPacket('c4'));
    await fourth.ended();
    assert.equal(fourth.received.length, 0);
    held[0]?.stream.end();
    await held[0]?.ended();
    const fifth = RawClient.tcp(port, connectPacket('c5'));
    await fifth.bytes(CONNACK_BYTES);
    for (const client of [...held, fifth]) client.destroy();
  });
});

test('the file may have any number of listeners, and then the default one stays closed', async () => {
  const file = join(folder, 'many.toml');
  writeFileSync(
    file,
    `bind = "127.0.0.1"
[[listener]]
port = 0
max-connections = 1

[[listener]]
protocol = "ws"
port = 0

[[listener]]
port = 0
bind = "0.0.0.0"
`,
  );
  const shoal = new ShoalProcess(['-nid=n1', `-config=${file}`]);
  try {
    await shoal.waitFor(/Shoal v\S+ tcp 0\.0\.0\.0:\d+/);
    const lines = shoal.output.match(/Shoal v\S+ \S+ \S+:\d+/g) ?? [];
    assert.equal(lines.length, 3);
    assert.ok(lines.every((line) => !line.endsWith(':1883')));
    const port = await shoal.mqttPort();
    const first = RawClient.tcp(port, connectPacket('c1'));
    await first.bytes(CONNACK_BYTES);
    const second = RawClient.tcp(port, connectPacket('c2'));
    await second.ended();
    const webSocket = await openWebSocket(await shoal.mqttPort('ws'));
    webSocket.terminate();
    first.destroy();
  } finally {
    await shoal.kill();
  }
});

test('each listener has its own largest packet, and SIGHUP changes it', async () => {
  const file = join(folder, 'sizes.toml');
  const write = (bytes: number): void =>
    writeFileSync(
      file,
      `bind = "127.0.0.1"\n[[listener]]\nport = 0\n[[listener]]\nprotocol = "ws"\nport = 0\nmax-packet-size = ${bytes}\n`,
    );
  write(2048);
  const shoal = new ShoalProcess(['-nid=n1', `-config=${file}`]);
  const announced = async (url: string): Promise<number | undefined> => {
    const client = mqtt.connect(url, { protocolVersion: 5, reconnectPeriod: 0 });
    const size = await new Promise<number | undefined>((resolve) => {
      client.once('connect', ({ properties }) => resolve(properties?.maximumPacketSize));
    });
    await client.endAsync(true);
    return size;
  };
  try {
    const url = `ws://127.0.0.1:${await shoal.mqttPort('ws')}/mqtt`;
    assert.equal(await announced(`mqtt://127.0.0.1:${await shoal.mqttPort()}`), 1_048_576);
    assert.equal(await announced(url), 2048);
    const client = await mqtt.connectAsync(url, { protocolVersion: 4, reconnectPeriod: 0 });
    const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
    client.publish('a', Buffer.alloc(3000));
    await closed;
    write(4096);
    shoal.signal('SIGHUP');
    await shoal.waitFor(/configuration reloaded/);
    assert.equal(await announced(url), 4096);
  } finally {
    await shoal.kill();
  }
});

test('each listener decides on its own whether clients need a user name', async () => {
  const passwords = join(folder, 'passwords');
  const made = new ShoalProcess(['passwd', '-c', '-b', passwords, 'someone', 'secret']);
  assert.equal((await made.exited).code, 0, made.output);
  const file = join(folder, 'anonymous.toml');
  writeFileSync(
    file,
    `auth = ${JSON.stringify(passwords)}
bind = "127.0.0.1"
[[listener]]
port = 0
[[listener]]
protocol = "ws"
port = 0
anonymous = true
`,
  );
  const shoal = new ShoalProcess(['-nid=n1', `-config=${file}`]);
  try {
    const closed = `mqtt://127.0.0.1:${await shoal.mqttPort()}`;
    const open = `ws://127.0.0.1:${await shoal.mqttPort('ws')}/mqtt`;
    const options = { reconnectPeriod: 0 };
    await assert.rejects(mqtt.connectAsync(closed, options), /Not authorized/);
    await (await mqtt.connectAsync(open, options)).endAsync();
    const known = { ...options, username: 'someone', password: 'secret' };
    await (await mqtt.connectAsync(closed, known)).endAsync();
    const wrong = { ...options, username: 'someone', password: 'guessed' };
    await assert.rejects(mqtt.connectAsync(open, wrong), /Not authorized|Bad user/i);
  } finally {
    await shoal.kill();
  }
});

test('unfinished large CONNECTs use bounded memory and keep no other client out', async () => {
  await withShoal(['-ws=0', '-sys-interval=1'], async (shoal) => {
    const port = await shoal.mqttPort();
    // 128 KiB each, and the last byte is never sent: one address may hold three quarters of 32 MiB.
    const begun = Buffer.alloc(131_071);
    begun.set([0x10, 0xfc, 0xff, 0x07]);
    const clients = Array.from({ length: 400 }, () => RawClient.tcp(port, begun));
    await shoal.waitFor(/connection refused: too many bytes before its CONNECT was answered/);
    const honest = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 0 });
    const refused = new Promise<number>((resolve) => {
      honest.on(
        'message',
        (_topic, payload) => Number(`${payload}`) > 100 && resolve(+`${payload}`),
      );
    });
    await honest.subscribeAsync('$SYS/broker/listeners/refused');
    assert.ok((await refused) <= 400 - 180);
    assert.ok(clients.filter(({ closed }) => closed).length > 100);

    const { stream } = RawClient.tcp(await shoal.mqttPort('ws'), request(...UPGRADE, SUBPROTOCOL));
    // A frame of 1,000,000 bytes: a packet may be that long after CONNECT is accepted.
    stream.write(Buffer.from('82ff00000000000f424000000000', 'hex'));
    stream.write(Buffer.alloc(300_000));
    await new Promise((resolve) => stream.once('close', resolve));
    for (const client of clients) client.destroy();
    await honest.endAsync();
  });
});

test('the error for a port in use names the line of the file', async () => {
  const holder = new ShoalProcess(loopbackFlags('n1'));
  const file = join(folder, 'taken.toml');
  writeFileSync(file, `[[listener]]\nport = ${await holder.mqttPort()}\nbind = "127.0.0.1"\n`);
  const shoal = new ShoalProcess(['-nid=n2', `-config=${file}`]);
  assert.equal((await shoal.exited).code, 3);
  assert.match(shoal.output, /is in use by .*; choose another port in .*taken\.toml:1/);
  await holder.kill();
});

test('garbage on any listener does not affect the node', async () => {
  await withShoal(['-ws=0', '-proxy-protocol'], async (shoal) => {
    const ports = [await shoal.mqttPort(), await shoal.mqttPort('ws')];
    let seed = 42;
    const randomByte = (): number => {
      seed = (seed * 16_807) % 2_147_483_647;
      return seed & 255;
    };
    const heads = ['', PROXY_LINE, PROXY_LINE + request(...UPGRADE, SUBPROTOCOL)];
    for (let round = 0; round < 60; round++) {
      const junk = Buffer.from(Array.from({ length: 300 }, randomByte));
      const head = heads[round % heads.length] ?? '';
      for (const port of ports) {
        const socket = dial(port, '127.0.0.1', () => {
          socket.write(Buffer.concat([Buffer.from(head), junk]));
          if (round % 2 === 0) socket.resetAndDestroy();
          else socket.end();
        });
        socket.on('error', () => undefined).resume();
        await new Promise((resolve) => socket.once('close', resolve));
      }
    }
    const client = RawClient.tcp(ports[0] ?? 0, PROXY_LINE, connectPacket('alive'));
    assert.equal((await client.bytes(CONNACK_BYTES)).toString('hex'), '20020000');
    client.destroy();
    assert.doesNotMatch(shoal.output, /TypeError|RangeError|ERR_/);
  });
});
