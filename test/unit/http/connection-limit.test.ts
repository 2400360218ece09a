import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { CONNECTIONS_MAX, ConnectionLimit } from '../../../src/http/connection-limit.ts';
import { silentLogger } from '../../../src/shared/logger.ts';

class FakeSocket extends EventEmitter {
  destroyed = false;
  readonly remoteAddress: string;

  constructor(remoteAddress: string) {
    super();
    this.remoteAddress = remoteAddress;
  }

  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

function server() {
  const lines: string[] = [];
  const log = {
    ...silentLogger,
    warn: (event: string) => lines.push(event),
    info: (event: string) => lines.push(event),
  };
  const limit = new ConnectionLimit(log);
  const arrive = (address: string): FakeSocket => {
    const socket = new FakeSocket(address);
    limit.arrived(socket as unknown as Socket);
    return socket;
  };
  return { limit, lines, arrive };
}

test('an address that has all connections keeps no other one out', () => {
  const { limit, lines, arrive } = server();
  const many = Array.from({ length: CONNECTIONS_MAX }, () => arrive('192.0.2.1'));
  const other = arrive('192.0.2.2');
  assert.equal(other.destroyed, false);
  assert.deepEqual(
    many.map(({ destroyed }) => destroyed).indexOf(true),
    0,
    'the oldest one makes room',
  );
  const further = arrive('192.0.2.1');
  assert.equal(further.destroyed, true, 'and the same address gets no further one');
  assert.equal(other.destroyed, false);
  assert.equal(limit.refused, 2);
  for (const socket of many) socket.destroy();
  assert.deepEqual(lines, [
    'HTTP connections are closed: too many are open',
    'HTTP connections are accepted again',
  ]);
});

test('IPv4 addresses count alike in both of their forms', () => {
  const { arrive } = server();
  for (let count = 0; count < CONNECTIONS_MAX; count++) arrive('192.0.2.1');
  assert.equal(arrive('::ffff:192.0.2.1').destroyed, true);
});
