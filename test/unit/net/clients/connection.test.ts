import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { Broker } from '../../../../src/broker/broker.ts';
import { Connection } from '../../../../src/net/clients/connection.ts';
import type { Transport } from '../../../../src/net/clients/transport.ts';
import { type LogFields, type Logger, silentLogger } from '../../../../src/shared/logger.ts';
import { connect, disconnect, PINGREQ } from '../../../support/wire.ts';

const LINGER_MS = 5_000;

class FakeTransport extends EventEmitter implements Transport {
  readonly broker: Broker;
  readonly writes: string[] = [];
  writable = true;
  writableLength = 0;
  isPaused = false;
  isEnded = false;
  isDestroyed = false;

  constructor(broker: Broker) {
    super();
    this.broker = broker;
  }

  write(bytes: Buffer): void {
    this.writes.push(bytes.toString('hex'));
  }
  cork(): void {}
  uncork(): void {}
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
  }
  end(): void {
    this.isEnded = true;
  }
  destroy(): void {
    this.isDestroyed = true;
    this.emit('close');
  }
}

function open(log: Logger = silentLogger, isPlainTcp = false): FakeTransport {
  const broker = new Broker({
    options: { sysIntervalSeconds: 0 },
    random: () => 0,
    now: performance.now(),
    log,
  });
  const transport = new FakeTransport(broker);
  new Connection(transport, broker, { remoteAddress: '192.0.2.1' }, isPlainTcp);
  return transport;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('all packets of a turn leave in one write', async () => {
  const transport = open();
  transport.emit('data', connect({ version: 4, clientId: 'c1' }));
  transport.emit('data', Buffer.concat([PINGREQ, PINGREQ]));
  assert.deepEqual(transport.writes, []);
  await turn();
  assert.deepEqual(transport.writes, ['20020000d000d000']);
});

test('a TCP connection is closed at once after DISCONNECT, unless bytes are on their way', async () => {
  const left = open(silentLogger, true);
  left.emit('data', Buffer.concat([connect({ version: 4, clientId: 'c1' }), disconnect()]));
  await turn();
  assert.deepEqual(left.writes, ['20020000'], 'what was queued leaves first');
  assert.equal(left.isDestroyed, true);
  assert.equal(left.isEnded, false);

  const slow = open(silentLogger, true);
  slow.emit('data', connect({ version: 4, clientId: 'c2' }));
  slow.writableLength = 4;
  slow.emit('data', disconnect());
  await turn();
  assert.equal(slow.isDestroyed, false);
  assert.equal(slow.isEnded, true);
  slow.emit('close');

  const secured = open();
  secured.emit('data', Buffer.concat([connect({ version: 4, clientId: 'c3' }), disconnect()]));
  await turn();
  assert.equal(secured.isEnded, true, 'TLS and WebSocket say goodbye');
  assert.equal(secured.isDestroyed, false);
  secured.emit('close');
});

test('a client that ends its side gets what was written, and the connection ends', async () => {
  const transport = open();
  transport.emit('data', connect({ version: 4, clientId: 'c1' }));
  transport.writableLength = 4;
  transport.emit('end');
  await turn();
  await turn();
  assert.deepEqual(transport.writes, ['20020000']);
  assert.equal(transport.isDestroyed, false, 'its bytes are still on their way');
  assert.equal(transport.isEnded, true);
  transport.emit('close');

  const idle = open();
  idle.emit('data', connect({ version: 4, clientId: 'c2' }));
  await turn();
  idle.emit('end');
  await turn();
  assert.equal(idle.isDestroyed, true);
});

test('much for one client does not wait for the end of the turn, nor count as untaken while it is taken', async () => {
  const transport = open();
  const bytes = Buffer.alloc(100_000);
  const connection = new Connection(transport, transport.broker, { remoteAddress: '192.0.2.2' });
  connection.write(bytes, 0, bytes.length);
  assert.equal(transport.writes.length, 0);
  for (let i = 0; i < 9; i++) connection.write(bytes, 0, bytes.length);
  assert.equal(transport.writes.length, 10, 'pairs of ranges, as they are');
  assert.equal(connection.congested, false);
  transport.writableLength = 600_000;
  for (let i = 0; i < 2; i++) connection.write(bytes, 0, bytes.length);
  assert.equal(connection.congested, true);
  transport.writableLength = 0;
  transport.emit('drain');
  assert.equal(connection.congested, false);
  transport.emit('close');
  await turn();
});

test('a client that does not read is not read until it does', async () => {
  const transport = open();
  transport.emit('data', connect({ version: 4, clientId: 'c1' }));
  transport.writableLength = 3_000_000;
  await turn();
  assert.equal(transport.isPaused, true);
  transport.writableLength = 0;
  transport.emit('drain');
  assert.equal(transport.isPaused, false);
});

test('while all clients together leave 256 MiB unread, each may leave only 128 KiB', async () => {
  const idle = async (bytes: number): Promise<FakeTransport> => {
    const transport = open();
    transport.emit('data', connect({ version: 4, clientId: 'c1' }));
    transport.writableLength = bytes;
    await turn();
    return transport;
  };
  const before = await idle(1_000_000);
  assert.equal(before.isPaused, false);
  const greedy: FakeTransport[] = [];
  for (let i = 0; i < 134; i++) greedy.push(await idle(2_000_000));
  const next = await idle(1_000_000);
  assert.equal(next.isPaused, true);
  assert.equal((await idle(100_000)).isPaused, false);
  const [one, ...others] = greedy;
  one?.emit('drain');
  for (const transport of others) transport.emit('close');
  assert.equal((await idle(1_000_000)).isPaused, false);
});

test('a disconnected client that continues to send is cut off', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const transport = open();
  transport.emit('data', Buffer.from('not MQTT'));
  await turn();
  assert.equal(transport.isEnded, true);
  t.mock.timers.tick(LINGER_MS - 1);
  transport.emit('data', PINGREQ);
  assert.equal(transport.isDestroyed, false);
  t.mock.timers.tick(1);
  assert.equal(transport.isDestroyed, true);
});

test('a connection that ends by itself is not cut off', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const transport = open();
  transport.emit('data', Buffer.from('not MQTT'));
  await turn();
  transport.emit('close');
  t.mock.timers.tick(LINGER_MS);
  assert.equal(transport.isDestroyed, false);
});

test('a fault of a client is logged with its Reason Code as pages and packets have it', async () => {
  const logged: LogFields[] = [];
  const log = {
    ...silentLogger,
    info: (_event: string, fields: LogFields = {}) => logged.push(fields),
  };
  const transport = open(log);
  transport.emit('data', PINGREQ);
  await turn();
  assert.equal(logged[0]?.code, '0x82');
});
