import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { AcceptQueue } from '../../../../src/net/clients/accept-queue.ts';

/** A queue that serves ten connections a second on a virtual clock; `outcomes` lists the fate of each. */
function limitedQueue({ mock }: TestContext) {
  mock.timers.enable({ apis: ['setTimeout'] });
  let now = 1000;
  const queue = new AcceptQueue(() => now);
  queue.rate = { perSecond: 10, burstMs: 0 };
  const outcomes: string[] = [];
  const connect = (address: string, name: string): { close(): void } => {
    const socket = Object.assign(new EventEmitter(), { remoteAddress: address });
    const close = (): void => {
      socket.emit('close');
    };
    queue.admit(
      socket as unknown as Socket,
      () => outcomes.push(name),
      () => {
        outcomes.push(`${name} dropped`);
        close();
      },
    );
    return { close };
  };
  const advance = (ms: number): void => {
    for (let passed = 0; passed < ms; passed += 10) {
      now += 10;
      mock.timers.tick(10);
    }
  };
  return { queue, connect, outcomes, advance };
}

test('connections beyond the rate wait and are served in time', (context) => {
  const { connect, outcomes, advance } = limitedQueue(context);
  for (let n = 0; n < 5; n++) connect('10.0.0.1', `c${n}`);
  assert.deepEqual(outcomes, ['c0']);
  advance(200);
  assert.deepEqual(outcomes, ['c0', 'c1', 'c2']);
  advance(1000);
  assert.equal(outcomes.length, 5);
});

test('addresses take turns: a flood from one delays another by one connection', (context) => {
  const { connect, outcomes, advance } = limitedQueue(context);
  for (let n = 0; n < 100; n++) connect('2001:db8::1', `flood${n}`);
  connect('10.0.0.9', 'other');
  advance(250);
  assert.ok(outcomes.includes('other'), outcomes.join());
});

test('the addresses of an IPv6 /64 count as one', (context) => {
  const { connect, outcomes, advance } = limitedQueue(context);
  for (let n = 0; n < 100; n++) connect(`2001:db8::${n + 1}`, `flood${n}`);
  connect('10.0.0.9', 'other');
  advance(250);
  assert.ok(outcomes.includes('other'), outcomes.join());
});

test('at the bound the newest connection of the address with the most is dropped', (context) => {
  const { queue, connect, outcomes } = limitedQueue(context);
  for (let n = 0; n < 600; n++) connect('10.0.0.1', `flood${n}`);
  const { waiting } = queue;
  assert.ok(waiting < 599);
  assert.equal(outcomes.at(-1), 'flood599 dropped');
  connect('10.0.0.9', 'other');
  assert.equal(outcomes.at(-1), `flood${waiting} dropped`);
  assert.equal(queue.waiting, waiting);
});

test('a connection that ends while it waits frees its place', (context) => {
  const { queue, connect, outcomes, advance } = limitedQueue(context);
  connect('10.0.0.1', 'first');
  connect('10.0.0.1', 'second').close();
  assert.equal(queue.waiting, 0);
  connect('10.0.0.1', 'third');
  advance(150);
  assert.deepEqual(outcomes, ['first', 'third']);
});

test('without a rate every connection is served at once', (context) => {
  const { queue, connect, outcomes } = limitedQueue(context);
  queue.rate = { perSecond: Number.POSITIVE_INFINITY, burstMs: 0 };
  for (let n = 0; n < 100; n++) connect('10.0.0.1', `c${n}`);
  assert.equal(outcomes.length, 100);
});
