// The log lines about clients that connect and disconnect: who, from where, and why.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Authorizer, openAuthorizer } from '../../../src/broker/ports.ts';
import {
  type LogFields,
  type Logger,
  type LogLevel,
  silentLogger,
} from '../../../src/shared/logger.ts';
import { type TestClient, World } from '../../support/mqtt-world.ts';
import * as wire from '../../support/wire.ts';

interface Line extends LogFields {
  readonly event: string;
}

function loggedWorld(): { world: World; lines: Line[]; bans: Set<string> } {
  const lines: Line[] = [];
  const bans = new Set<string>();
  const info = (event: string, fields: LogFields = {}): void => {
    lines.push({ ...fields, event });
  };
  const isStillAuthorized = ({ clientId }: { clientId: string }): boolean => !bans.has(clientId);
  const authorizer = { ...openAuthorizer, isStillAuthorized };
  return { world: new World({}, { log: { ...silentLogger, info }, authorizer }), lines, bans };
}

const ORIGIN = { from: '127.0.0.1', fromPort: 56_400, listener: '[::]:1883' };
const WHO = { client: 'sensor', user: 'ann', ...ORIGIN };

for (const [version, mqtt] of [
  [3, '3.1'],
  [4, '3.1.1'],
  [5, '5.0'],
] as const) {
  test(`the log names client, user, address and listener of a connection by MQTT ${mqtt}`, () => {
    const { world, lines } = loggedWorld();
    world.connect('sensor', { username: 'ann', version, keepAlive: 0 });
    assert.deepEqual(lines, [{ event: 'client connected', ...WHO, mqtt }]);
  });
}

const endings: [string, (world: World, client: TestClient, bans: Set<string>) => void][] = [
  ['DISCONNECT', (_, client) => client.leave()],
  ['DISCONNECT 0x04', (_, client) => client.leave(4)],
  ['connection lost', (_, client) => client.lose()],
  ['keep alive timeout', (world) => world.advance(20_000)],
  ['its client connected anew', (world) => world.connect('sensor', { username: 'ann' })],
  ['the server stops', (world) => world.broker.shutdown(world.now)],
  ['a second CONNECT', (_, client) => client.send(wire.connect({ clientId: 'sensor' }))],
  [
    'access was withdrawn',
    (world, _, bans) => {
      bans.add('sensor');
      world.broker.applyRights(world.now);
    },
  ],
];
for (const [reason, end] of endings) {
  test(`the log has one line for a disconnect, with the reason: ${reason}`, () => {
    const { world, lines, bans } = loggedWorld();
    const client = world.connect('sensor', { username: 'ann', keepAlive: 10 });
    end(world, client, bans);
    const ends = lines.filter(({ event }) => event === 'client disconnected');
    assert.deepEqual(ends, [{ event: 'client disconnected', ...WHO, reason }]);
  });
}

function gathered(level: LogLevel): { lines: Line[]; log: Logger } {
  const lines: Line[] = [];
  const gather = (event: string, fields: LogFields = {}): void => {
    lines.push({ ...fields, event });
  };
  return { lines, log: { ...silentLogger, [level]: gather } };
}

test('a wrong password is a warning with the address of the client', () => {
  const { lines, log } = gathered('warn');
  const refusal = { reasonCode: 0x86, reason: 'wrong password' };
  const authorizer: Authorizer = { ...openAuthorizer, authenticate: () => refusal };
  new World({}, { log, authorizer }).open().connect({ clientId: 'sensor', username: 'ann' });
  const why = { code: '0x86', reason: 'wrong password' };
  assert.deepEqual(lines, [{ event: 'connection refused', ...WHO, ...why }]);
});

test('a client refused at a limit is a warning that names the limit', () => {
  const { lines, log } = gathered('warn');
  const world = new World({ connectionsMax: 0 }, { log });
  world.open().connect({ clientId: 'sensor', username: 'ann' });
  const why = { code: '0x97', reason: '-max-connections is reached' };
  assert.deepEqual(lines, [{ event: 'connection refused', ...WHO, ...why }]);
});

test('the log line about a packet above the limit names size, limit, option, topic and client', () => {
  const { lines, log } = gathered('info');
  const world = new World({ packetBytesMax: 1000 }, { log });
  const client = world.connect('sensor', { username: 'ann' });
  client.send(wire.publish(5, { topic: 'pump/photo', payload: 'x'.repeat(2000), qos: 1, id: 1 }));
  client.expectEnded(0x95);
  const fault = lines.find(({ event }) => event === 'client fault');
  assert.deepEqual(fault, {
    event: 'client fault',
    client: 'sensor',
    ...ORIGIN,
    reason: 'the packet is larger than the Maximum Packet Size',
    code: '0x95',
    bytes: 2018,
    max: 1000,
    hint: '-max-packet-size',
    topic: 'pump/photo',
  });
});

test('a connection without a CONNECT appears at level debug only', () => {
  const { lines, log } = gathered('debug');
  new World({}, { log }).open().lose();
  assert.deepEqual(lines, [{ event: 'connection lost before CONNACK', ...ORIGIN }]);
});
