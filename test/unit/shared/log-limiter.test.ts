import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogLimiter } from '../../../src/shared/log-limiter.ts';

test('each event has one line an interval, with the number of its occurrences', () => {
  const limiter = new LogLimiter(1000);
  assert.equal(limiter.admit('a', 0), 1);
  assert.equal(limiter.admit('a', 10), 0);
  assert.equal(limiter.admit('b', 10), 1, 'other events have lines of their own');
  assert.equal(limiter.admit('a', 999), 0);
  assert.equal(limiter.admit('a', 1000), 3);
  assert.equal(limiter.admit('a', 2500), 1);
});

test('a counter gets a line when it has grown, once an interval', () => {
  const limiter = new LogLimiter(1000);
  assert.equal(limiter.admitTotal('lost', 0, 0), false);
  assert.equal(limiter.admitTotal('lost', 2, 0), true);
  assert.equal(limiter.admitTotal('lost', 3, 500), false);
  assert.equal(limiter.admitTotal('lost', 3, 1000), true, 'the growth in between gets its line');
  assert.equal(limiter.admitTotal('lost', 3, 9000), false);
});

test('lines and memory are bounded, however many events an attacker invents', () => {
  const limiter = new LogLimiter(1000, 10);
  const linesAt = (now: number): number => {
    let lines = 0;
    for (let i = 0; i < 100; i++) if (limiter.admit(`${now}/${i}`, now) > 0) lines += 1;
    return lines;
  };
  assert.equal(linesAt(0), 10);
  assert.equal(linesAt(999), 0);
  assert.equal(linesAt(1000), 10, 'old entries make room');
});
