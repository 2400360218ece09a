import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NodeQueries } from '../../../../src/node/cluster/node-queries.ts';
import type { StreamSink } from '../../../../src/node/cluster/node-streams.ts';
import type { LogFields } from '../../../../src/shared/logger.ts';
import { silentLogger } from '../../../../src/shared/logger.ts';

const NAMES = ['box1', 'box2', 'box3'];

/** Nodes whose datagrams arrive at once. */
function cluster(names: readonly string[] = NAMES) {
  const lines: string[] = [];
  const log = {
    ...silentLogger,
    info: (event: string, fields?: LogFields) => lines.push(`${event} ${JSON.stringify(fields)}`),
    error: (event: string, fields?: LogFields) => lines.push(`${event} ${JSON.stringify(fields)}`),
  };
  const boots = new Map(names.map((name, index) => [name, BigInt(index + 1)]));
  const nodes = new Map<string, NodeQueries>();
  const byBoot = (boot: bigint) => nodes.get([...boots].find(([, one]) => one === boot)?.[0] ?? '');
  for (const [nodeName, own] of boots) {
    const node = new NodeQueries({
      nodeName,
      log,
      send: (member, message) => setImmediate(() => byBoot(member)?.receive(own, message)),
      rttMs: () => 1,
    });
    node.handler = (request, from) =>
      Promise.resolve({ status: 200, body: { at: nodeName, from, ...request } });
    nodes.set(nodeName, node);
  }
  for (const [name, node] of nodes) {
    const others = [...boots].filter(([other]) => other !== name);
    node.setOnline(others.map(([other, bootId]) => ({ name: other, bootId })));
  }
  const [one, two] = [nodes.get('box1'), nodes.get('box2')];
  assert.ok(one && two);
  const end = () => {
    for (const node of nodes.values()) node.close();
  };
  return { one, two, lines, end };
}

test('any node answers for another, and is named to it', async () => {
  const { one, lines, end } = cluster();
  const request = { method: 'GET', path: '/clients', query: { like: 'a' } };
  const own = await one.ask('box1', request);
  assert.deepEqual(own.body, { at: 'box1', from: undefined, ...request });
  const reply = await one.ask('box2', request);
  assert.deepEqual(reply, { status: 200, body: { at: 'box2', from: 'box1', ...request } });
  assert.deepEqual(lines, [], 'reading is no event');
  end();
});

test('a request of another node that changes something has a line in the log', async () => {
  const { one, lines, end } = cluster();
  await one.ask('box2', { method: 'DELETE', path: '/clients/a', query: {} });
  assert.deepEqual(lines, [
    'request of another node {"node":"box1","method":"DELETE","path":"/clients/a","status":200}',
  ]);
  end();
});

test('askAll() has a reply of each node that is online', async () => {
  const { one, end } = cluster();
  const replies = await one.askAll({ method: 'GET', path: '/', query: {} });
  assert.deepEqual([...replies.keys()], NAMES);
  assert.deepEqual(
    [...replies.values()].map(({ body }) => (body as { at: string }).at),
    NAMES,
  );
  end();
});

test('faults are replies: a node that is offline, a handler that throws, a reply that is too large', async () => {
  const { one, two, lines, end } = cluster();
  const request = { method: 'GET', path: '/', query: {} };
  assert.equal((await one.ask('box9', request)).status, 502);
  two.handler = () => {
    throw new Error('out of order');
  };
  assert.equal((await one.ask('box2', request)).status, 500);
  assert.match(lines.join(), /request failed .*out of order/);
  two.handler = () => Promise.resolve({ status: 200, body: 'x'.repeat(300_000) });
  assert.equal((await one.ask('box2', request)).status, 413);
  assert.equal((await one.ask('box2', { ...request, body: 'x'.repeat(70_000) })).status, 413);
  end();
});

test('a reply with a status that HTTP does not have is malformed', async () => {
  const { one, two, end } = cluster();
  for (const status of [0, 101, 600, 9999]) {
    two.handler = () => Promise.resolve({ status });
    assert.equal((await one.ask('box2', { method: 'GET', path: '/', query: {} })).status, 502);
  }
  end();
});

test('a follower that cannot take an item gets the end of the stream', async () => {
  const { one, two, end } = cluster();
  two.addStream('/trace', (_request, sink) => {
    sink.item({});
    return () => undefined;
  });
  const { ended, sink } = follower();
  const item = (): void => {
    throw new RangeError('too deep');
  };
  one.follow('box2', { method: 'GET', path: '/trace', query: {} }, { ...sink, item });
  assert.equal(await ended, 502);
  end();
});

test('a request that waits when its node closes ends', async () => {
  const { one, two } = cluster();
  two.handler = () => new Promise(() => undefined);
  const reply = one.ask('box2', { method: 'GET', path: '/', query: {} });
  one.close();
  assert.equal((await reply).status, 502);
  two.close();
});

/** What a follower got, with a promise for its end. */
function follower() {
  const items: unknown[] = [];
  let dropped = 0;
  let resolve: (status: number | undefined) => void = () => undefined;
  const ended = new Promise<number | undefined>((done) => {
    resolve = done;
  });
  return {
    items,
    ended,
    get lost() {
      return dropped;
    },
    sink: {
      item: (item: unknown) => void items.push(item),
      dropped: (count: number) => {
        dropped += count;
      },
      ended: (reply: { status: number } | undefined) => resolve(reply?.status),
    },
  };
}

test('a stream of another node arrives in order and ends', async () => {
  const { one, two, end } = cluster();
  two.addStream('/trace', (request, sink) => {
    for (let count = 0; count < 500; count++) sink.item({ count, topic: request.query.topic });
    sink.end();
    return () => undefined;
  });
  const { items, ended, sink } = follower();
  one.follow('box2', { method: 'GET', path: '/trace', query: { topic: 'a/b' } }, sink);
  assert.equal(await ended, undefined);
  assert.deepEqual(
    items,
    Array.from({ length: 500 }, (_, count) => ({ count, topic: 'a/b' })),
  );
  end();
});

test('a follower that is too slow loses the oldest items, and learns how many', async () => {
  const { one, two, end } = cluster();
  two.addStream('/trace', (_request, sink) => {
    for (let count = 0; count < 1500; count++) sink.item(count);
    sink.end();
    return () => undefined;
  });
  const got = follower();
  one.follow('box2', { method: 'GET', path: '/trace', query: {} }, got.sink);
  await got.ended;
  assert.equal(got.lost, 500);
  assert.equal(got.items[0], 500);
  assert.equal(got.items.length, 1000);
  end();
});

test('a stream ends on the node when its follower closes it', async () => {
  const { one, two, end } = cluster();
  let source: StreamSink | undefined;
  const closed = new Promise<void>((resolve) => {
    two.addStream('/trace', (_request, sink) => {
      source = sink;
      sink.item('first');
      return resolve;
    });
  });
  const close = one.follow(
    'box2',
    { method: 'GET', path: '/trace', query: {} },
    {
      item: () => {
        close();
        source?.item('second');
      },
      dropped: () => undefined,
      ended: () => undefined,
    },
  );
  await closed;
  end();
});

test('a stream that does not exist, or is one too many, is refused', async () => {
  const { one, two, end } = cluster();
  const missing = follower();
  one.follow('box2', { method: 'GET', path: '/nothing', query: {} }, missing.sink);
  assert.equal(await missing.ended, 404);
  two.addStream('/trace', () => () => undefined);
  const request = { method: 'FOLLOW', path: '/trace', query: {} };
  for (let count = 0; count < 16; count++)
    assert.equal((await one.ask('box2', request)).status, 200);
  assert.equal((await one.ask('box2', request)).status, 503);
  end();
});
