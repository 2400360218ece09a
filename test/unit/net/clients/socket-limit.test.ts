import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { type ListenerSockets, SocketLimit } from '../../../../src/net/clients/socket-limit.ts';

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await nextTurn();
}

/** A listener for `max` sockets; `outcomes` lists the fate of each in order. */
function listener(limit: SocketLimit, max: number) {
  const sockets: ListenerSockets = { served: 0, max: () => max };
  const outcomes: string[] = [];
  const connect = (name: string): { close(): void } => {
    const socket = new EventEmitter() as EventEmitter & { destroyed: boolean };
    socket.destroyed = false;
    const close = (): void => {
      socket.destroyed = true;
      socket.emit('close');
    };
    limit.admit(
      socket as unknown as Socket,
      sockets,
      () => outcomes.push(`${name} served`),
      (reached) => {
        outcomes.push(`${name} dropped: ${reached}`);
        close();
      },
    );
    return { close };
  };
  return { connect, outcomes, sockets };
}

test('a socket below the limit is served at once', () => {
  const { connect, outcomes } = listener(new SocketLimit(100, 0), 2);
  connect('a');
  connect('b');
  assert.deepEqual(outcomes, ['a served', 'b served']);
});

test('a socket beyond the limit of its listener is dropped, some turns later', async () => {
  const { connect, outcomes } = listener(new SocketLimit(100, 0), 1);
  connect('a');
  connect('b');
  assert.deepEqual(outcomes, ['a served']);
  await turns(10);
  assert.deepEqual(outcomes, ['a served', 'b dropped: listener']);
});

test('ten clients that close and reconnect at the limit are all served, though the ends are read later', async () => {
  const { connect, outcomes, sockets } = listener(new SocketLimit(100, 0), 10);
  const before = Array.from({ length: 10 }, (_, index) => connect(`old${index}`));
  outcomes.length = 0;
  for (let index = 0; index < 10; index++) connect(`new${index}`);
  await turns(3);
  for (const socket of before) socket.close();
  await turns(10);
  assert.deepEqual(
    outcomes,
    Array.from({ length: 10 }, (_, index) => `new${index} served`),
  );
  assert.equal(sockets.served, 10);
});

test('the socket that waited longest gets the free place', async () => {
  const { connect, outcomes } = listener(new SocketLimit(100, 0), 1);
  const old = connect('old');
  connect('first');
  connect('second');
  await turns(2);
  old.close();
  await turns(10);
  assert.deepEqual(outcomes, ['old served', 'first served', 'second dropped: listener']);
});

test('sockets of all listeners together stay below the descriptors, and few wait beyond them', async () => {
  const limit = new SocketLimit(2, 1);
  const one = listener(limit, 10);
  const other = listener(limit, 10);
  one.connect('a');
  other.connect('b');
  one.connect('c');
  other.connect('d');
  assert.deepEqual(other.outcomes, ['b served', 'd dropped: descriptors']);
  await turns(10);
  assert.deepEqual(one.outcomes, ['a served', 'c dropped: descriptors']);
  assert.equal(limit.served, 2);
});

test('a socket that ends while it waits is neither served nor dropped', async () => {
  const { connect, outcomes } = listener(new SocketLimit(100, 0), 1);
  connect('a');
  connect('b').close();
  await turns(10);
  assert.deepEqual(outcomes, ['a served']);
});
