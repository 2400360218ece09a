// createBroker(): streams, messages of the program, its subscriptions and what it can see and end.

import assert from 'node:assert/strict';
import { duplexPair, PassThrough } from 'node:stream';
import { type TestContext, test } from 'node:test';
import type { Broker, BrokerOptions, LogLine, Message } from '../../../src/embed/api.ts';
import { createBroker, ShoalError } from '../../../src/embed/index.ts';
import { connectTo, turn } from '../../support/embedded-client.ts';

async function open(t: TestContext, options: BrokerOptions = {}): Promise<Broker> {
  const broker = await createBroker(options);
  t.after(() => broker.close());
  return broker;
}

/** Collects the messages of a subscription; `next` resolves with each in turn. */
function collector() {
  const messages: Message[] = [];
  const waiting: (() => void)[] = [];
  return {
    messages,
    take: (message: Message): void => {
      messages.push(message);
      for (const check of waiting.splice(0)) check();
    },
    async count(wanted: number): Promise<Message[]> {
      while (messages.length < wanted) await new Promise<void>((resolve) => waiting.push(resolve));
      return messages;
    },
  };
}

function codeOf(code: string, message: RegExp) {
  return (error: unknown): true => {
    assert.ok(error instanceof ShoalError);
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  };
}

test('a client on a stream and the program exchange messages', async (t) => {
  const broker = await open(t);
  const client = await connectTo(broker, { clientId: 'c1' });
  await client.mqtt.subscribeAsync('to/client', { qos: 1 });
  const { messages, take, count } = collector();
  await broker.subscribe('from/+', take);
  const result = await broker.publish({ topic: 'to/client', payload: 'hello', qos: 1 });
  assert.deepEqual(result, { matched: true, refused: 'none', retained: false });
  assert.deepEqual(await client.message(), { topic: 'to/client', text: 'hello', retain: false });
  await client.mqtt.publishAsync('from/client', 'back', {
    qos: 2,
    properties: { contentType: 'text/plain', userProperties: { a: ['1', '2'] } },
  });
  await count(1);
  const [message] = messages;
  assert.equal(message?.payload.toString(), 'back');
  assert.equal(message?.qos, 2);
  assert.deepEqual(message?.properties, {
    contentType: 'text/plain',
    userProperties: [
      ['a', '1'],
      ['a', '2'],
    ],
  });
});

test('properties and expiry of a message of the program reach the client', async (t) => {
  const broker = await open(t);
  const client = await connectTo(broker);
  await client.mqtt.subscribeAsync('a');
  const packet = new Promise<Record<string, unknown>>((resolve) => {
    client.mqtt.on('message', (_topic, _payload, { properties }) => resolve({ ...properties }));
  });
  await broker.publish({
    topic: 'a',
    payload: Buffer.of(1),
    expirySeconds: 60,
    properties: {
      payloadIsText: true,
      contentType: 'x',
      responseTopic: 'r',
      correlationData: Buffer.from('c'),
      userProperties: [['k', 'v']],
    },
  });
  const { userProperties, ...properties } = await packet;
  assert.deepEqual({ ...(userProperties as object) }, { k: 'v' });
  assert.deepEqual(properties, {
    payloadFormatIndicator: true,
    messageExpiryInterval: 60,
    contentType: 'x',
    responseTopic: 'r',
    correlationData: Buffer.from('c'),
  });
});

test('a retained message comes first to a later subscription of the program, if it wants it', async (t) => {
  const broker = await open(t);
  const { retained } = await broker.publish({ topic: 'state', payload: 'on', retain: true });
  assert.equal(retained, true);
  const { take, count } = collector();
  await broker.subscribe('state', take);
  const [message] = await count(1);
  assert.equal(message?.retain, true);
  const without = collector();
  await broker.subscribe('state', without.take, { retained: false });
  await broker.publish({ topic: 'state', payload: 'off' });
  const [first] = await without.count(1);
  assert.equal(first?.payload.toString(), 'off');
});

test('a callback that returns a promise gets one message after the other', async (t) => {
  const broker = await open(t);
  let open_ = 0;
  let most = 0;
  const order: string[] = [];
  let done = (): void => undefined;
  const all = new Promise<void>((resolve) => (done = resolve));
  await broker.subscribe('n', async ({ payload }) => {
    most = Math.max(most, ++open_);
    await turn();
    open_ -= 1;
    if (order.push(payload.toString()) === 50) done();
  });
  for (let n = 0; n < 50; n++)
    void broker.publish({ topic: 'n', payload: `${n}`, qos: (n % 3) as 0 });
  await all;
  assert.equal(most, 1);
  assert.deepEqual(
    order,
    Array.from({ length: 50 }, (_, n) => `${n}`),
  );
});

test('with concurrency several promises of a callback are open at a time', async (t) => {
  const broker = await open(t);
  const release: (() => void)[] = [];
  await broker.subscribe('n', () => new Promise<void>((resolve) => release.push(resolve)), {
    concurrency: 3,
  });
  for (let n = 0; n < 5; n++) await broker.publish({ topic: 'n' });
  await turn();
  assert.equal(release.length, 3);
  release[0]?.();
  await turn();
  assert.equal(release.length, 4);
});

test('messages for a slow callback wait in a bounded queue, and what finds it full is counted', async (t) => {
  const broker = await open(t, { maxQueuedMessages: 10 });
  let isOpen = true;
  const payload = Buffer.alloc(500_000);
  const { messages, take, count } = collector();
  let release = (): void => undefined;
  const subscription = await broker.subscribe('n', (message) => {
    take(message);
    return isOpen ? new Promise<void>((resolve) => (release = resolve)) : undefined;
  });
  const results = [];
  for (let n = 0; n < 20; n++) results.push(await broker.publish({ topic: 'n', payload, qos: 1 }));
  await count(1);
  assert.ok(subscription.queued <= 13, `${subscription.queued} wait`);
  assert.equal(subscription.dropped, results.filter(({ refused }) => refused === 'all').length);
  assert.ok(subscription.dropped >= 6);
  assert.equal(broker.stats().messagesDropped, subscription.dropped);
  isOpen = false;
  release();
  await count(20 - subscription.dropped);
  await broker.publish({ topic: 'n', payload: 'last' });
  await count(messages.length + 1);
  assert.equal(messages.at(-1)?.payload.toString(), 'last');
});

test('a callback that fails is counted and logged, and gets the next message', async (t) => {
  const lines: LogLine[] = [];
  const broker = await open(t, { log: (line) => lines.push(line) });
  const { take, count } = collector();
  await broker.subscribe('n', (message) => {
    take(message);
    const text = message.payload.toString();
    if (text === 'throw') throw new Error('no');
    return text === 'reject' ? Promise.reject(new Error('never')) : undefined;
  });
  for (const payload of ['throw', 'reject', 'good']) await broker.publish({ topic: 'n', payload });
  await count(3);
  await turn();
  assert.equal(broker.stats().callbackFaults, 2);
  const events = lines.map(({ event }) => event).filter((event) => event.includes('callback'));
  assert.deepEqual(events, [
    'the callback of a subscription failed',
    'the callback of a subscription works again',
  ]);
});

test('a callback may publish, unsubscribe and close', async (t) => {
  const broker = await open(t);
  const { take, count } = collector();
  await broker.subscribe('pong', take);
  const ping = await broker.subscribe('ping', async () => {
    await broker.publish({ topic: 'pong', payload: 'x' });
    await ping.unsubscribe();
  });
  await broker.publish({ topic: 'ping' });
  await broker.publish({ topic: 'ping' });
  await count(1);
  assert.deepEqual(await broker.publish({ topic: 'ping' }), {
    matched: false,
    refused: 'none',
    retained: false,
  });
  let closed = (): void => undefined;
  const isClosed = new Promise<void>((resolve) => (closed = resolve));
  await broker.subscribe('end', () => broker.close().then(closed));
  await broker.publish({ topic: 'end' });
  await isClosed;
});

test('a callback that publishes to its own topic leaves time for everything else', async (t) => {
  const broker = await open(t);
  let calls = 0;
  await broker.subscribe('loop', () => {
    calls += 1;
    broker.publish({ topic: 'loop' }).catch(() => undefined);
  });
  await broker.publish({ topic: 'loop' });
  for (let turns = 0; turns < 20; turns++) await turn();
  const client = await connectTo(broker);
  assert.ok(calls > 5);
  await client.end();
});

test('shared subscriptions of program and clients take turns', async (t) => {
  const broker = await open(t);
  const [a, b] = [collector(), collector()];
  await broker.subscribe('$share/g/job', a.take);
  await broker.subscribe('$share/g/job', b.take);
  for (let n = 0; n < 10; n++) await broker.publish({ topic: 'job', payload: `${n}` });
  await turn();
  assert.equal(a.messages.length + b.messages.length, 10);
  assert.ok(a.messages.length > 0 && b.messages.length > 0);
});

test('the program sees its clients and can end them', async (t) => {
  const broker = await open(t);
  const info = { address: '192.0.2.7', port: 5000, listener: 'serial' };
  const client = await connectTo(broker, { clientId: 'c1' }, info);
  await client.mqtt.subscribeAsync('a');
  await broker.subscribe('#', () => undefined);
  const [shown, ...others] = broker.clients();
  assert.deepEqual(others, []);
  const { connectedAt, ...rest } = shown ?? assert.fail();
  assert.ok(Math.abs(Date.now() - connectedAt.getTime()) < 60_000);
  assert.deepEqual(rest, {
    id: 'c1',
    username: undefined,
    address: '192.0.2.7:5000',
    listener: 'serial',
    version: '5.0',
    subscriptions: 1,
    queued: 0,
    inflight: 0,
  });
  const { clients, sessions, subscriptions } = broker.stats();
  assert.deepEqual(
    { clients, sessions, subscriptions },
    { clients: 1, sessions: 1, subscriptions: 2 },
  );
  const reason = new Promise<unknown>((resolve) => {
    client.mqtt.on('disconnect', ({ properties }) => resolve(properties?.reasonString));
  });
  assert.equal(await broker.kick('c1', 'maintenance'), true);
  assert.equal(await reason, 'maintenance');
  assert.equal(await broker.kick('c1'), false);
});

test('two brokers in one process know nothing of each other', async (t) => {
  const [one, two] = [await open(t), await open(t)];
  await one.publish({ topic: 'state', payload: 'on', retain: true });
  const [first, second] = [
    await connectTo(one, { clientId: 'same' }),
    await connectTo(two, { clientId: 'same' }),
  ];
  const { take, messages } = collector();
  await two.subscribe('#', take);
  await first.mqtt.publishAsync('a', 'b', { qos: 1 });
  await second.mqtt.publishAsync('marker', '', { qos: 1 });
  assert.deepEqual(
    messages.map(({ topic }) => topic),
    ['marker'],
  );
  assert.equal(one.stats().messagesReceived, 1);
  await one.close();
  await second.mqtt.publishAsync('marker', '', { qos: 1 });
});

test('a stream that has ended before is ignored, and one that fails ends its client', async (t) => {
  const broker = await open(t);
  const [near, far] = duplexPair();
  far.destroy();
  broker.attach(far);
  broker.attach(near);
  near.destroy(new Error('the line is cut'));
  for (const wrong of [undefined, null, 1, {}, new PassThrough({ objectMode: true })]) {
    assert.throws(
      () => broker.attach(wrong as never),
      codeOf('INVALID_ARGUMENT', /^bad stream .*: expected a duplex stream of bytes$/),
    );
  }
  assert.equal(broker.stats().clients, 0);
});

const WRONG_CALLS: readonly [(broker: Broker) => Promise<unknown>, RegExp][] = [
  [(broker) => broker.publish({ topic: 'a/#' }), /^bad topic 'a\/#': expected a Topic Name/],
  [
    (broker) => broker.publish({ topic: '$SYS/x' }),
    /^bad topic '\$SYS\/x': expected a topic without \$/,
  ],
  [(broker) => broker.publish({} as never), /^bad topic undefined/],
  [(broker) => broker.publish(undefined as never), /^bad topic undefined/],
  [(broker) => broker.publish({ topic: 'a', qos: 3 as never }), /^bad qos 3: expected 0, 1 or 2$/],
  [
    (broker) => broker.publish({ topic: 'a', payload: 7 as never }),
    /^bad payload 7: expected a string or bytes$/,
  ],
  [(broker) => broker.publish({ topic: 'a', expirySeconds: -1 }), /^bad expirySeconds -1/],
  [
    (broker) => broker.publish({ topic: 'a', properties: { contentType: 'a\0' } }),
    /^bad properties.contentType/,
  ],
  [
    (broker) => broker.publish({ topic: 'a', properties: { userProperties: [['a']] as never } }),
    /^bad properties.userProperties .*: expected an array of \[name, value\]/,
  ],
  [
    (broker) => broker.subscribe('a/#/b', () => undefined),
    /^bad filter 'a\/#\/b': expected a Topic Filter/,
  ],
  [
    (broker) => broker.subscribe('a', undefined as never),
    /^bad callback undefined: expected a function$/,
  ],
  [
    (broker) => broker.subscribe('a', () => 0, { concurrency: 0 }),
    /^bad concurrency 0: expected a whole number/,
  ],
  [(broker) => broker.kick(7 as never), /^bad clientId 7: expected a string$/],
];

test('a wrong argument rejects with its name, its value and the right form', async (t) => {
  const broker = await open(t);
  for (const [call, message] of WRONG_CALLS) {
    await assert.rejects(call(broker), codeOf('INVALID_ARGUMENT', message));
  }
});

test('a closed broker rejects every call', async () => {
  const broker = await createBroker();
  const [near, far] = duplexPair();
  await Promise.all([broker.close(), broker.close()]);
  const closed = codeOf('CLOSED', /^the broker is closed$/);
  await assert.rejects(broker.publish({ topic: 'a' }), closed);
  await assert.rejects(
    broker.subscribe('a', () => undefined),
    closed,
  );
  await assert.rejects(broker.kick('a'), closed);
  broker.attach(far);
  assert.equal(far.destroyed, true);
  near.destroy();
});

test('a bound of the broker refuses a subscription with its name', async (t) => {
  const broker = await open(t, { maxSessions: 1 });
  await broker.subscribe('a', () => undefined);
  await assert.rejects(
    broker.subscribe('b', () => undefined),
    codeOf('LIMIT_REACHED', /^maxSessions.* is reached$/),
  );
});
