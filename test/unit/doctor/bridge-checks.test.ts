// What the doctor finds about a bridge, with a far side that answers as the test wants.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { loadConfig } from '../../../src/config/load.ts';
import { bridgeChecks } from '../../../src/doctor/bridge-checks.ts';
import type { BridgeFacts, DoctorContext } from '../../../src/doctor/context.ts';
import type { Finding } from '../../../src/doctor/finding.ts';
import { decodeConnack } from '../../../src/mqtt/client-packets.ts';
import { noOpenssl, TestAuthority } from '../../support/certificates.ts';

const folder = mkdtempSync(join(tmpdir(), 'shoal-doctor-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const ACCEPTED = '20030000 00';
/** QoS 1, no retained messages, packets of 1000 bytes, keep alive 30 s. */
const MEAGRE = '200f 0000 0c 2401 2500 27000003e8 13001e';

/** Runs the check of one bridge to a far side that this server is. @param keys further keys of the bridge */
async function findingsOf(
  server: Server,
  scheme: string,
  keys: readonly string[] = [],
  facts?: BridgeFacts,
): Promise<readonly Finding[]> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  try {
    return await findingsAt(`${scheme}://127.0.0.1:${port}`, keys, facts);
  } finally {
    server.close();
  }
}

async function findingsAt(
  address: string,
  keys: readonly string[] = [],
  facts?: BridgeFacts,
): Promise<readonly Finding[]> {
  const lines = [`name = "hq"`, `address = "${address}"`, 'topics = ["up/# out 2", "down/# in 1"]'];
  const file = `[[bridge]]\n${[...lines, ...keys].join('\n')}\n`;
  const host = { environment: {}, hostName: 'box1', readFile: () => file };
  const { config } = loadConfig({ config: '/shoal.toml', data: folder }, host);
  const bridges = new Map(facts && [['hq', facts]]);
  const context = { config, bridges } as unknown as DoctorContext;
  return (await Promise.all(bridgeChecks.map((check) => check.run(context)))).flat();
}

/** @param connack hexadecimal; empty: closes. @param seen receives what the client sends first */
function farSide(connack: string, seen: Buffer[] = []): Server {
  return createServer((socket) => answer(socket, connack, seen));
}

function answer(socket: Socket, connack: string, seen: Buffer[] = []): void {
  socket.on('error', () => undefined);
  socket.once('data', (chunk: Buffer) => {
    seen.push(chunk);
    if (connack === '') socket.end();
    else socket.write(Buffer.from(connack.replaceAll(' ', ''), 'hex'));
  });
}

function shown(findings: readonly Finding[]): string[] {
  return findings.map(({ level, fault, text }) =>
    `${fault ?? level}: ${text}`.replace(/(?<=127\.0\.0\.1:)\d+/, 'PORT'),
  );
}

test('a far side that accepts has a line with what it takes, and gets no session', async () => {
  const seen: Buffer[] = [];
  assert.deepEqual(shown(await findingsOf(farSide(ACCEPTED, seen), 'mqtt')), [
    'ok: bridge hq: mqtt://127.0.0.1:PORT accepts a connection: MQTT 5.0, QoS 2, retained messages, packets of any size, keep alive 60 s',
  ]);
  const connect = seen[0]!.toString('latin1');
  assert.ok(connect.endsWith('box1.hq.doctor'), 'under an identifier of its own');
  assert.equal(connect.charCodeAt(9), 2, 'Clean Start, no will');
});

test('each limit of the far side that the bridge exceeds is a warning', async () => {
  const found = await findingsOf(farSide(MEAGRE), 'mqtt');
  assert.deepEqual(shown(found), [
    'ok: bridge hq: mqtt://127.0.0.1:PORT accepts a connection: MQTT 5.0, QoS 1, no retained messages, packets up to 1 KB, keep alive 30 s',
    'bridge-limits: bridge hq: the far side takes packets up to 1000 bytes, this node up to 1048576: larger ones do not cross',
    'bridge-limits: bridge hq: the far side takes QoS 1 at most: up/# cross with that',
    'bridge-limits: bridge hq: the far side takes no retained messages: they cross as ordinary ones',
  ]);
  assert.deepEqual(found[1]?.mend?.lines, ['-max-packet-size=1000, so that clients learn of it']);
});

test('a bridge that is connected is not probed', async () => {
  const granted = decodeConnack(Buffer.from(ACCEPTED.replaceAll(' ', ''), 'hex'), 5);
  const seen: Buffer[] = [];
  const facts = { granted, lostReason: undefined };
  assert.deepEqual(shown(await findingsOf(farSide(ACCEPTED, seen), 'mqtt', [], facts)), [
    'ok: bridge hq is connected: MQTT 5.0, QoS 2, retained messages, packets of any size, keep alive 60 s',
  ]);
  assert.equal(seen.length, 0);
});

test('a lost bridge has its own reason where the far side accepts the doctor', async () => {
  const facts = { granted: undefined, lostReason: 'another client has connected' };
  const [, fault] = await findingsOf(farSide(ACCEPTED), 'mqtt', [], facts);
  assert.equal(
    `${fault?.fault}: ${fault?.text}`,
    'bridge-refused: bridge hq is not connected, though the far side accepts one: another client has connected',
  );
});

test('refused credentials are named as such, with MQTT 5 and 3.1.1', async () => {
  const modern = await findingsOf(farSide('2003 0086 00'), 'mqtt');
  const plain = await findingsOf(farSide('2002 0005'), 'mqtt', ['protocol = "3.1.1"']);
  assert.deepEqual(shown([...modern, ...plain]), [
    'bridge-refused: bridge hq: mqtt://127.0.0.1:PORT refuses client box1.hq.doctor: wrong user name or password (0x86)',
    'bridge-refused: bridge hq: mqtt://127.0.0.1:PORT refuses client box1.hq.doctor: not authorized (0x87)',
  ]);
});

test('a far side that is not there, or is no MQTT server, is not reached', async () => {
  const closed = await findingsAt('mqtt://127.0.0.1:1');
  const mute = await findingsOf(farSide(''), 'mqtt');
  const web = await findingsOf(farSide('48545450 2f312e31'), 'mqtt');
  const found = [...closed, ...mute, ...web];
  assert.deepEqual(new Set(found.map(({ fault }) => fault)), new Set(['bridge-unreachable']));
  assert.match(closed[0]?.text ?? '', /nothing listens on that port/);
  assert.match(mute[0]?.text ?? '', /the far side ended the connection/);
  assert.match(web[0]?.text ?? '', /it does not speak MQTT on that port/);
  const upgrade = await findingsOf(
    createServer((socket) => socket.end('HTTP/1.1 404 Not Found\r\n\r\n')),
    'ws',
  );
  assert.match(upgrade[0]?.text ?? '', /it answers 404 to the WebSocket: see the path$/);
});

test('the check of a TLS handshake that fails is named', { skip: noOpenssl() }, async () => {
  const authority = new TestAuthority(folder);
  const ca = [`ca = "${authority.ca}"`];
  const serve = (cert: { cert: string; key: string }, options: object = {}): Server =>
    createTlsServer(
      { cert: readFileSync(cert.cert), key: readFileSync(cert.key), ...options },
      (socket) => answer(socket, ACCEPTED),
    ).on('tlsClientError', () => undefined);
  const right = authority.issue('right', '/CN=far', 'IP:127.0.0.1');
  const other = authority.issue('other', '/CN=far', 'DNS:other.example');
  const mutual = { requestCert: true, ca: readFileSync(authority.ca) };
  const reasonOf = async (server: Server, keys: readonly string[]): Promise<string> => {
    const [finding] = await findingsOf(server, 'mqtts', keys);
    return `${finding?.fault ?? finding?.level}: ${finding?.text.split(': ').slice(1).join(': ')}`;
  };
  assert.match(await reasonOf(serve(right), ca), /^ok/);
  assert.match(await reasonOf(serve(right), []), /^bridge-tls.* authority .* not known: set ca$/);
  assert.match(await reasonOf(serve(other), ca), /^bridge-tls.* is for another host name$/);
  assert.match(await reasonOf(serve(right, mutual), ca), /wants a client certificate/);
  const plain = createServer((socket) => socket.on('error', () => undefined).end('220 hello\r\n'));
  assert.match(await reasonOf(plain, ca), /^bridge-tls.* does not speak TLS on that port$/);
  assert.match(
    await reasonOf(serve(right), ['ca = "/nowhere.pem"']),
    /^bridge-tls: \/nowhere.pem: there is no such file$/,
  );
});
