// Requests from node to node on a network that loses, doubles, reorders and cuts: what the asking node
// gets, and what it costs.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ASKED_PER_MEMBER_MAX,
  NODE_WINDOW_PARTS,
  REPLY_BYTES_MAX,
  REQUEST_BYTES_MAX,
  SERVED_PER_MEMBER_MAX,
} from '../../src/query/limits.ts';
import { QueryCluster } from '../support/query-cluster.ts';
import { seededRandom } from '../support/random.ts';

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8];

function pair(seed = 1) {
  const cluster = new QueryCluster(seed, 2);
  const [one, two] = cluster.nodes;
  assert.ok(one && two);
  return { cluster, one, two };
}

function randomBytes(seed: number, bytes: number): Buffer {
  const random = seededRandom(seed);
  return Buffer.from(Array.from({ length: bytes }, () => Math.floor(random() * 256)));
}

test('a small request and its reply need one datagram each, and one that ends it', () => {
  const { cluster, one, two } = pair();
  const outcome = one.ask(two, Buffer.from('status?'));
  assert.deepEqual(outcome, { reply: Buffer.from('re: status?') });
  cluster.runFor(20_000);
  assert.equal(cluster.sent.get(one), 2);
  assert.equal(cluster.sent.get(two), 1);
  assert.deepEqual(one.core.openWork, { asked: 0, served: 0 });
  assert.deepEqual(two.core.openWork, { asked: 0, served: 0 });
});

test('the largest request and reply arrive whole, each request once, whatever the network does', (t) => {
  for (const seed of SEEDS) {
    const { cluster, one, two } = pair(seed);
    Object.assign(cluster.network, {
      loss: 0.2,
      duplication: 0.1,
      delayMsMin: 0.2,
      delayMsMax: 30,
    });
    const request = randomBytes(seed, REQUEST_BYTES_MAX);
    const reply = randomBytes(seed + 100, REPLY_BYTES_MAX);
    two.serve = () => ({ reply, afterMs: 10 });
    const outcome = one.ask(two, request, 60_000);
    assert.ok('reply' in outcome, `seed ${seed}: ${JSON.stringify(outcome)}`);
    assert.ok(outcome.reply.equals(reply));
    assert.deepEqual(two.served, [request.toString('latin1')]);
    t.diagnostic(
      `seed ${seed}: ${Math.round(cluster.now)} ms, ${two.core.counters.resentParts} parts again`,
    );
    cluster.runFor(60_000);
    assert.deepEqual(two.core.openWork, { asked: 0, served: 0 }, 'nothing is left');
  }
});

test('on a network without loss no part is sent twice', () => {
  const { cluster, one, two } = pair();
  two.serve = () => ({ reply: randomBytes(1, REPLY_BYTES_MAX), afterMs: 0 });
  assert.ok('reply' in one.ask(two, randomBytes(2, REQUEST_BYTES_MAX)));
  assert.equal(two.core.counters.resentParts + one.core.counters.resentParts, 0);
  assert.ok(cluster.now < 1000, `${cluster.now} ms`);
});

test('all replies together never exceed the receive buffer of the node that asks', () => {
  const cluster = new QueryCluster(3, 11);
  const [asker, ...others] = cluster.nodes;
  assert.ok(asker);
  const reply = randomBytes(3, REPLY_BYTES_MAX);
  const ids = others.map((other) => {
    other.serve = () => ({ reply, afterMs: 0 });
    return asker.askOnly(other, Buffer.from('all?'));
  });
  cluster.runUntil(() => asker.outcomes.size === ids.length, 20_000);
  assert.ok([...asker.outcomes.values()].every((outcome) => 'reply' in outcome));
  // Each member sends its first window unasked.
  const firstWindows = others.length * 8;
  assert.ok(cluster.inFlightMax <= Math.max(NODE_WINDOW_PARTS + others.length, firstWindows));
});

test('a slow reply is awaited while the member lives, and not for longer than the timeout', () => {
  const { cluster, one, two } = pair();
  two.serve = () => ({ reply: Buffer.from('late'), afterMs: 8000 });
  assert.deepEqual(one.ask(two, Buffer.from('slow?'), 20_000), { reply: Buffer.from('late') });
  two.serve = () => undefined;
  assert.deepEqual(one.ask(two, Buffer.from('never?'), 6000), { fault: 'timeout' });
  cluster.runFor(10);
  assert.deepEqual(two.abandoned, [{ member: one.boot, id: 2 }], 'the member stops its work');
});

test('a member behind a cut fails a request soon, and the work there is forgotten', () => {
  const { cluster, one, two } = pair();
  two.serve = () => ({ reply: randomBytes(4, 50_000), afterMs: 100 });
  const id = one.askOnly(two, Buffer.from('cut?'));
  cluster.runFor(50);
  cluster.isCut = () => true;
  const cutAt = cluster.now;
  cluster.runUntil(() => one.outcomes.size > 0, 60_000);
  assert.deepEqual(one.outcomes.get(Number(id)), { fault: 'silent' });
  assert.ok(cluster.now - cutAt <= 4000);
  cluster.runFor(20_000);
  assert.deepEqual(two.core.openWork, { asked: 0, served: 0 });
});

test('a request to a member that goes offline fails at once', () => {
  const { cluster, one, two } = pair();
  two.serve = () => undefined;
  const id = one.askOnly(two, Buffer.from('gone?'));
  cluster.runFor(10);
  one.step(() => one.core.setMembers(cluster.now, []));
  assert.deepEqual(one.outcomes.get(Number(id)), { fault: 'offline' });
  assert.equal(one.askOnly(two, Buffer.from('gone?')), 'offline');
});

test('a request is served once, even if its sender was offline for a moment', () => {
  const { cluster, one, two } = pair();
  // Nothing of the member arrives, so that the request is repeated.
  cluster.isCut = (from) => from === two;
  two.serve = () => undefined;
  one.askOnly(two, Buffer.from('kick?'), 3000);
  cluster.runFor(300);
  two.step(() => two.core.setMembers(cluster.now, []));
  two.step(() => two.core.setMembers(cluster.now, [one.boot]));
  cluster.runFor(5000);
  assert.deepEqual(two.served, ['kick?']);
});

test('a node that asks too much is refused, here and by the member', () => {
  const { cluster, one, two } = pair();
  two.serve = () => undefined;
  for (let count = 0; count < ASKED_PER_MEMBER_MAX; count++) {
    assert.equal(typeof one.askOnly(two, Buffer.from('work')), 'number');
  }
  assert.equal(one.askOnly(two, Buffer.from('more')), 'busy');
  cluster.runFor(100);
  assert.equal(two.core.openWork.served, SERVED_PER_MEMBER_MAX);
  // The sender gives up, but the word of it is lost: the member still works.
  cluster.isCut = () => true;
  one.step(() => one.core.cancel(1));
  cluster.isCut = () => false;
  assert.deepEqual(one.ask(two, Buffer.from('one more'), 1000), { fault: 'refused' });
  assert.equal(two.core.counters.refused, 1);
});

test('a request or a reply that is too large is refused', () => {
  const { one, two } = pair();
  assert.deepEqual(one.ask(two, Buffer.alloc(REQUEST_BYTES_MAX + 1)), { fault: 'tooLarge' });
  assert.throws(
    () => two.core.reply(0, { member: one.boot, id: 1 }, Buffer.alloc(REPLY_BYTES_MAX + 1)),
    /too large/,
  );
});

test('what a member sends that is no message changes a counter only', () => {
  const { cluster, one, two } = pair();
  const random = seededRandom(7);
  for (let round = 0; round < 5000; round++) {
    const bytes = Buffer.from(
      Array.from({ length: Math.floor(random() * 60) }, () => Math.floor(random() * 256)),
    );
    bytes[0] = 16;
    if (bytes.length > 1) bytes[1] = Math.floor(random() * 8);
    one.step(() => one.core.handle(cluster.now, two.boot, bytes));
    one.step(() => one.core.handle(cluster.now, 99n, bytes));
  }
  assert.ok(one.core.counters.malformed > 0);
  cluster.runFor(60_000);
  assert.deepEqual(one.core.openWork, { asked: 0, served: 0 });
  assert.ok('reply' in one.ask(two, Buffer.from('still well?')));
});
