import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BusyError, FairQueue } from '../../../src/auth/fair-queue.ts';
import { sourceOf } from '../../../src/shared/ip-address.ts';

const limits = { parallelMax: 2, waitingMax: 3, waitMsMax: 100 };

/** Work that the test completes. */
class Job {
  started = false;
  finish: () => void = () => undefined;
  readonly work = (): Promise<string> => {
    this.started = true;
    return new Promise((resolve) => {
      this.finish = () => resolve('done');
    });
  };
}

function begin(line: FairQueue, count: number, from = '', isKnown = false) {
  const jobs = Array.from({ length: count }, () => new Job());
  const results = jobs.map((job) => line.run(job.work, { name: from, isKnown }));
  for (const result of results) result.catch(() => undefined);
  return { jobs, results };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('at most parallelMax pieces of work run at a time, the others in the order of their arrival', async () => {
  const line = new FairQueue(limits, () => 0);
  const { jobs, results } = begin(line, 4);
  assert.deepEqual(
    jobs.map((job) => job.started),
    [true, true, false, false],
  );
  jobs[1]?.finish();
  await results[1];
  await turn();
  assert.deepEqual(
    jobs.map((job) => job.started),
    [true, true, true, false],
  );
  for (const index of [0, 2, 3]) {
    jobs[index]?.finish();
    await results[index];
    await turn();
  }
  assert.equal(await results[3], 'done');
});

test('work is refused at once if the queue is full', async () => {
  const { results } = begin(new FairQueue(limits, () => 0), 6);
  await assert.rejects(results[5] ?? Promise.resolve(), BusyError);
});

test('a source with much work does not keep others out, even when the queue is full', async () => {
  const line = new FairQueue({ ...limits, parallelMax: 1 }, () => 0);
  const flood = begin(line, 4, 'flood');
  const [one, two] = [begin(line, 1, 'one'), begin(line, 1, 'two')];
  await assert.rejects(flood.results[3] ?? Promise.resolve(), BusyError, 'its last gives place');
  await assert.rejects(begin(line, 1, 'flood').results[0] ?? Promise.resolve(), BusyError);
  await assert.rejects(begin(line, 1, 'three').results[0] ?? Promise.resolve(), BusyError);
  const order: string[] = [];
  const waiting = { flood: flood.jobs[1], one: one.jobs[0], two: two.jobs[0] };
  flood.jobs[0]?.finish();
  while (order.length < 3) {
    await turn();
    for (const [name, job] of Object.entries(waiting)) {
      if (job?.started !== true || order.includes(name)) continue;
      order.push(name);
      job.finish();
    }
  }
  assert.deepEqual(order, ['flood', 'one', 'two']);
});

test('a new source waits for one turn of each other source, not for all of their work', async () => {
  const line = new FairQueue({ parallelMax: 1, waitingMax: 100, waitMsMax: 100 }, () => 0);
  const flood = begin(line, 50, 'flood');
  const newcomer = begin(line, 1, 'newcomer');
  flood.jobs[0]?.finish();
  await turn();
  flood.jobs[1]?.finish();
  await turn();
  assert.equal(newcomer.jobs[0]?.started, true);
  assert.equal(flood.jobs[2]?.started, false);
});

test('work that waited too long is refused, and the next in time takes its place', async () => {
  let now = 0;
  const line = new FairQueue(limits, () => now);
  const { jobs, results } = begin(line, 3);
  now = 90;
  const late = begin(line, 1);
  now = 120;
  jobs[0]?.finish();
  await assert.rejects(results[2] ?? Promise.resolve(), BusyError);
  await turn();
  assert.equal(jobs[2]?.started, false);
  assert.equal(late.jobs[0]?.started, true);
});

test('work that fails frees its place', async () => {
  const line = new FairQueue({ ...limits, parallelMax: 1 }, () => 0);
  await assert.rejects(
    line.run(() => Promise.reject(new Error('broken'))),
    /broken/,
  );
  assert.equal(await line.run(() => Promise.resolve('next')), 'next');
});

/** Finishes one piece of work after the other. @returns the names in the order of their turns */
async function orderOf(groups: Readonly<Record<string, readonly Job[]>>): Promise<string[]> {
  const order: string[] = [];
  const isDone = new Set<Job>();
  for (let idle = 0; idle < 3; idle++) {
    await turn();
    for (const [name, jobs] of Object.entries(groups)) {
      for (const job of jobs.filter((one) => one.started && !isDone.has(one))) {
        isDone.add(job);
        order.push(name);
        job.finish();
        idle = 0;
      }
    }
  }
  return order;
}

test('known sources come first, and every fourth turn is for a stranger', async () => {
  const line = new FairQueue({ parallelMax: 1, waitingMax: 100, waitMsMax: 100 }, () => 0);
  const first = begin(line, 1, 'first');
  const strangers = begin(line, 3, 'stranger');
  const known = begin(line, 6, 'known', true);
  const order = await orderOf({ first: first.jobs, s: strangers.jobs, k: known.jobs });
  assert.deepEqual(order, ['first', 'k', 'k', 'k', 's', 'k', 'k', 'k', 's', 's']);
});

test('a known source finds room in a queue that strangers have filled, and strangers take none of its', async () => {
  const line = new FairQueue({ parallelMax: 1, waitingMax: 3, waitMsMax: 100 }, () => 0);
  begin(line, 1, 'first');
  const strangers = ['a', 'b', 'c'].map((name) => begin(line, 1, name));
  const known = begin(line, 3, 'known', true);
  for (const { results } of strangers) {
    await assert.rejects(results[0] ?? Promise.resolve(), BusyError);
  }
  await assert.rejects(begin(line, 1, 'late').results[0] ?? Promise.resolve(), BusyError);
  await assert.rejects(begin(line, 1, 'known', true).results[0] ?? Promise.resolve(), BusyError);
  const other = begin(line, 1, 'other', true);
  await assert.rejects(known.results[2] ?? Promise.resolve(), BusyError, 'known lanes share alike');
  assert.equal(other.jobs.length, 1);
  assert.equal(line.waiting, 3);
});

test('all addresses of an IPv6 /64 are one source, and each IPv4 address is one', () => {
  const sources = ['2001:db8:0:1::1', '2001:db8:0:1:ffff::2', '2001:db8:0:2::1'].map(sourceOf);
  assert.equal(sources[0], sources[1]);
  assert.notEqual(sources[0], sources[2]);
  assert.equal(sourceOf('::ffff:192.0.2.1'), sourceOf('192.0.2.1'));
  assert.notEqual(sourceOf('::ffff:192.0.2.1'), sourceOf('::ffff:192.0.2.2'));
  assert.equal(sourceOf('/run/socket'), '/run/socket');
  assert.equal(sourceOf('192.0.2.1', 24), sourceOf('::ffff:192.0.2.254', 24));
  assert.notEqual(sourceOf('192.0.2.1', 24), sourceOf('192.0.3.1', 24));
});
