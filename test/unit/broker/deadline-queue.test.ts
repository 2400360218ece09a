import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeadlineQueue } from '../../../src/broker/deadline-queue.ts';
import { seededRandom } from '../../support/random.ts';

test('deadlines run in the order of their times, cancelled ones never', () => {
  const random = seededRandom(2);
  const queue = new DeadlineQueue();
  const ran: number[] = [];
  const wanted: number[] = [];
  for (let i = 0; i < 2000; i++) {
    const at = Math.floor(random() * 1000);
    const deadline = queue.schedule(at, () => ran.push(at));
    if (random() < 0.6) queue.cancel(deadline);
    else wanted.push(at);
  }
  wanted.sort((a, b) => a - b);
  queue.advance(500);
  assert.deepEqual(
    ran,
    wanted.filter((at) => at <= 500),
  );
  queue.advance(1000);
  assert.deepEqual(ran, wanted);
  assert.equal(queue.next, Number.POSITIVE_INFINITY);
});

test('a deadline that is scheduled during advance() and is due runs too', () => {
  const queue = new DeadlineQueue();
  const ran: string[] = [];
  queue.schedule(10, () => {
    ran.push('first');
    queue.schedule(10, () => ran.push('second'));
    queue.schedule(11, () => ran.push('later'));
  });
  queue.advance(10);
  assert.deepEqual(ran, ['first', 'second']);
});

test('a cancelled deadline does not hold what it would have run', () => {
  const queue = new DeadlineQueue();
  const run = (): void => assert.fail('it was cancelled');
  const deadline = queue.schedule(10, run);
  queue.cancel(deadline);
  assert.notEqual(deadline.run, run);
  queue.advance(20);
});

test('onEarlier is called for a deadline earlier than all others, and for no other', () => {
  const queue = new DeadlineQueue();
  const earlier: number[] = [];
  queue.onEarlier = (at) => earlier.push(at);
  queue.schedule(10, () => undefined);
  queue.schedule(20, () => undefined);
  queue.schedule(5, () => undefined);
  assert.deepEqual(earlier, [10, 5]);
});
