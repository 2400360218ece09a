// A node with clients stops on SIGTERM: it disconnects its clients with a reason, in bounded time.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import mqtt, { type IClientOptions, type IDisconnectPacket } from 'mqtt';
import { WebSocket } from 'ws';
import { noOpenssl, TestAuthority } from '../support/certificates.ts';
import { RawClient } from '../support/raw-client.ts';
import { loopbackFlags, ShoalProcess } from '../support/shoal-process.ts';
import { connect, subscribe } from '../support/wire.ts';

const folder = mkdtempSync(join(tmpdir(), 'shoal-shutdown-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const SERVER_SHUTTING_DOWN = 0x8b;

/** A client that resolves `ended` with the DISCONNECT of the broker. */
class EndingClient {
  readonly ended: Promise<IDisconnectPacket | undefined>;

  private constructor(client: mqtt.MqttClient) {
    let last: IDisconnectPacket | undefined;
    client.on('disconnect', (packet) => {
      last = packet;
    });
    this.ended = new Promise((resolve) => client.on('close', () => resolve(last)));
  }

  static async connect(url: string, options: IClientOptions): Promise<EndingClient> {
    return new EndingClient(await mqtt.connectAsync(url, { reconnectPeriod: 0, ...options }));
  }
}

test('SIGTERM disconnects every client on every listener, and the node exits with 0', async (t) => {
  const flags = ['-ws=0', '-csk=secret'];
  const protocols = ['mqtt', 'ws'];
  let ca: string | undefined;
  if (noOpenssl() === false) {
    const authority = new TestAuthority(folder);
    const { cert, key } = authority.issue('server', '/CN=box', 'DNS:localhost', 'IP:127.0.0.1');
    flags.push('-tls=0', '-wss=0', `-cert=${cert}`, `-key=${key}`);
    protocols.push('mqtts', 'wss');
    ca = authority.ca;
  }
  const shoal = new ShoalProcess(loopbackFlags('n1', ...flags));
  const names = { mqtt: 'tcp', mqtts: 'tls', ws: 'ws', wss: 'wss' } as const;
  const withReason: EndingClient[] = [];
  const closed: EndingClient[] = [];
  const trust = ca === undefined ? {} : { ca: readFileSync(ca) };
  for (const protocol of protocols as (keyof typeof names)[]) {
    const url = `${protocol}://localhost:${await shoal.mqttPort(names[protocol])}/mqtt`;
    withReason.push(await EndingClient.connect(url, { protocolVersion: 5, ...trust }));
    closed.push(await EndingClient.connect(url, { protocolVersion: 4, ...trust }));
  }
  const started = performance.now();
  assert.deepEqual(await shoal.stop(), { code: 0, signal: null });
  t.diagnostic(`${Math.round(performance.now() - started)} ms`);
  for (const { ended } of withReason) assert.equal((await ended)?.reasonCode, SERVER_SHUTTING_DOWN);
  for (const { ended } of closed) assert.equal(await ended, undefined);
});

test('SIGTERM: queued messages still reach a client', async () => {
  const shoal = new ShoalProcess(loopbackFlags('n1'));
  const url = `mqtt://127.0.0.1:${await shoal.mqttPort()}`;
  const subscriber = await mqtt.connectAsync(url, { reconnectPeriod: 0 });
  await subscriber.subscribeAsync('#');
  const heard: string[] = [];
  subscriber.on('message', (topic) => heard.push(topic));
  const subscriberClosed = new Promise<void>((resolve) => subscriber.on('close', () => resolve()));
  const publisher = await mqtt.connectAsync(url, { reconnectPeriod: 0 });
  for (let i = 0; i < 40; i++) publisher.publish('flood', Buffer.alloc(10_000));
  await publisher.publishAsync('last', 'x', { qos: 1 });
  assert.deepEqual(await shoal.stop(), { code: 0, signal: null });
  await subscriberClosed;
  assert.equal(heard.length, 41);
  assert.equal(heard.at(-1), 'last');
});

test('SIGTERM does not wait for connections without a CONNECT', async () => {
  const shoal = new ShoalProcess(loopbackFlags('n1', '-ws=0'));
  const upgrading = RawClient.tcp(await shoal.mqttPort('ws'), 'GET /mqtt HTTP/1.1\r\n');
  const refused = RawClient.tcp(await shoal.mqttPort('ws'), 'GET / HTTP/1.1\r\n\r\n');
  // The answer shows that both are accepted.
  await refused.bytes(12);
  const started = performance.now();
  assert.deepEqual(await shoal.stop(), { code: 0, signal: null });
  assert.ok(performance.now() - started < 1900);
  await upgrading.ended();
});

test('SIGTERM: clients that hang, before or after CONNECT, delay nothing', async () => {
  const shoal = new ShoalProcess(loopbackFlags('n1', '-ws=0'));
  const port = await shoal.mqttPort();
  const silent = RawClient.tcp(port);
  const upgrading = RawClient.tcp(await shoal.mqttPort('ws'), 'GET /mqtt HTTP/1.1\r\n');
  const deaf = RawClient.tcp(port, connect({ version: 5, clientId: 'deaf' }));
  await deaf.bytes(5);
  deaf.stream.write(subscribe(5, 1, ['flood']));
  await deaf.bytes(10);
  deaf.stream.pause();
  const deafWebSocket = new WebSocket(`ws://127.0.0.1:${await shoal.mqttPort('ws')}/mqtt`, 'mqtt');
  await new Promise((resolve) => deafWebSocket.once('open', resolve));
  deafWebSocket.on('error', () => undefined).pause();
  const publisher = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 0 });
  for (let i = 0; i < 50; i++) {
    await publisher.publishAsync('flood', Buffer.alloc(500_000), { qos: 1 });
  }
  const started = performance.now();
  assert.deepEqual(await shoal.stop(), { code: 0, signal: null });
  assert.ok(performance.now() - started < 4000);
  for (const client of [silent, upgrading, deaf]) client.destroy();
  deafWebSocket.terminate();
  await publisher.endAsync(true);
});

test('a stopping node accepts no connection, and a second signal ends it at once', async () => {
  const shoal = new ShoalProcess(loopbackFlags('n1'));
  const port = await shoal.mqttPort();
  const hanging = RawClient.tcp(port, connect({ version: 5, clientId: 'c1' }));
  await hanging.bytes(5);
  // It never reads all its bytes, so it delays the stop for a while.
  hanging.stream.pause();
  hanging.stream.on('end', () => undefined);
  shoal.signal('SIGTERM');
  await shoal.waitFor(/event=stopping/);
  const late = RawClient.tcp(port);
  await late.ended();
  assert.equal(late.received.length, 0);
  const started = performance.now();
  shoal.signal('SIGTERM');
  assert.deepEqual(await shoal.exited, { code: 143, signal: null });
  assert.ok(performance.now() - started < 1000);
  hanging.destroy();
});
