// The hooks of a program: what they decide, what happens when they fail, and what they may call.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { MqttClient } from 'mqtt';
import type {
  Broker,
  BrokerOptions,
  Client,
  Hooks,
  LogLine,
  Message,
} from '../../../src/embed/api.ts';
import { createBroker } from '../../../src/embed/index.ts';
import { connectTo, turn } from '../../support/embedded-client.ts';

interface Opened {
  readonly broker: Broker;
  readonly lines: LogLine[];
}

async function open(t: TestContext, hooks: Hooks, options: BrokerOptions = {}): Promise<Opened> {
  const lines: LogLine[] = [];
  const broker = await createBroker({ hooks, log: (line) => lines.push(line), ...options });
  t.after(() => broker.close());
  return { broker, lines };
}

function warnings(lines: readonly LogLine[]): string[] {
  return lines
    .filter(({ event }) => event.startsWith('hook'))
    .map(({ event, fields }) => `${event} ${fields.hook}`);
}

/** The Reason Codes of SUBACK; mqtt.js rejects where one of them is a failure. */
async function grantedTo(mqtt: MqttClient, filters: readonly string[]): Promise<number[]> {
  try {
    const granted = await mqtt.subscribeAsync([...filters], { qos: 1 });
    return granted.map(({ qos }) => qos);
  } catch (error) {
    return (error as { packet: { granted: number[] } }).packet.granted;
  }
}

const late = <T>(value: T) => turn().then(() => value);
const never = () => new Promise<never>(() => undefined);

for (const [form, answer] of [
  ['at once', (value: boolean) => value],
  ['later', late],
] as const) {
  test(`authenticate decides ${form} on each client, with its password`, async (t) => {
    const { broker } = await open(t, {
      authenticate: ({ username }, { password }) =>
        answer(username === 'alice' && password?.toString() === 'secret'),
    });
    const { mqtt } = await connectTo(broker, { username: 'alice', password: 'secret' });
    assert.equal(mqtt.connected, true);
    await assert.rejects(connectTo(broker, { username: 'alice', password: 'guess' }), {
      code: 0x86,
    });
    await assert.rejects(connectTo(broker, { protocolVersion: 4, username: 'bob' }), { code: 4 });
  });

  test(`authorizePublish decides ${form} on each message, in the order of the messages`, async (t) => {
    const asked: string[] = [];
    const { broker } = await open(t, {
      authorizePublish: (client, { topic, payload, qos, retain, properties }) => {
        const { contentType } = properties;
        asked.push([client.id, topic, payload, qos, retain, contentType].join(' '));
        return answer(payload.toString() !== 'bad');
      },
    });
    const { mqtt, message } = await connectTo(broker, { clientId: 'c' });
    await mqtt.subscribeAsync('t');
    const properties = { contentType: 'x' };
    const sent = ['1', 'bad', '2', '3'].map((payload, index) => {
      const options = { qos: (index % 3) as 0, properties, retain: index === 2 };
      return mqtt.publishAsync('t', payload, options).catch(({ code }: { code: number }) => code);
    });
    assert.equal((await Promise.all(sent))[1], 0x87);
    const got = [await message(), await message(), await message()];
    assert.deepEqual(
      got.map(({ text }) => text),
      ['1', '2', '3'],
    );
    assert.deepEqual(asked, [
      'c t 1 0 false x',
      'c t bad 1 false x',
      'c t 2 2 true x',
      'c t 3 0 false x',
    ]);
    assert.equal(broker.stats().denied, 1);
  });

  test(`authorizeSubscribe decides ${form} on each filter`, async (t) => {
    const { broker } = await open(t, {
      authorizeSubscribe: (_client, { filter }) => answer(!filter.startsWith('secret')),
    });
    const { mqtt, message } = await connectTo(broker);
    const filters = ['open', 'secret/a', '$share/g/job'];
    assert.deepEqual(await grantedTo(mqtt, filters), [1, 0x87, 1]);
    await broker.publish({ topic: 'secret/a', payload: 'no' });
    await broker.publish({ topic: 'open', payload: 'yes' });
    assert.equal((await message()).text, 'yes');
  });

  test(`authorizePublish decides ${form} on a will when its client connects`, async (t) => {
    const { broker } = await open(t, {
      authorizePublish: (_client, { topic }) => answer(topic === 'wills/good'),
    });
    const will = (topic: string) => ({ will: { topic, payload: Buffer.from('gone') } });
    const refused = connectTo(broker, will('wills/bad'));
    await assert.rejects(refused, { code: 0x87 });
    const { cut } = await connectTo(broker, will('wills/good'));
    const gone = new Promise<Message>((resolve) => void broker.subscribe('wills/+', resolve));
    cut();
    assert.equal((await gone).payload.toString(), 'gone');
  });
}

test('a client waits for its own hook only', async (t) => {
  let answer = (_: boolean): void => undefined;
  const { broker } = await open(t, {
    authorizePublish: ({ id }) =>
      id === 'slow' ? new Promise<boolean>((resolve) => (answer = resolve)) : true,
  });
  const slow = await connectTo(broker, { clientId: 'slow' });
  const fast = await connectTo(broker, { clientId: 'fast' });
  await fast.mqtt.subscribeAsync('t');
  slow.mqtt.publish('t', 'first', { qos: 1 });
  slow.mqtt.publish('t', 'second', { qos: 0 });
  await fast.mqtt.publishAsync('t', 'fast', { qos: 1 });
  assert.equal((await fast.message()).text, 'fast');
  answer(true);
  assert.equal((await fast.message()).text, 'first');
  await turn();
  answer(true);
  assert.equal((await fast.message()).text, 'second');
});

test('authenticate may name the user, limit the time and give a reason code', async (t) => {
  const { broker } = await open(t, {
    authenticate: ({ id }) => {
      if (id === 'busy') return { reasonCode: 0x89, reason: 'come later' };
      return { username: 'from-token', expiresSeconds: 3600 };
    },
  });
  await connectTo(broker, { clientId: 'good' });
  assert.equal(broker.clients()[0]?.username, 'from-token');
  await assert.rejects(connectTo(broker, { clientId: 'busy' }), { code: 0x89 });
});

test('authorizeReceive decides on topics, and reauthorize() has it asked anew', async (t) => {
  let isOpen = false;
  const asked: string[] = [];
  const { broker } = await open(t, {
    authorizeReceive: ({ id }, topic) => {
      asked.push(`${id} ${topic}`);
      return isOpen || topic !== 'secret';
    },
  });
  const { mqtt, message } = await connectTo(broker, { clientId: 'c' });
  await mqtt.subscribeAsync('#');
  for (const topic of ['secret', 'open', 'secret', 'open']) await broker.publish({ topic });
  assert.equal((await message()).topic, 'open');
  assert.equal((await message()).topic, 'open');
  assert.deepEqual(asked, ['c secret', 'c open']);
  isOpen = true;
  await broker.reauthorize();
  await broker.publish({ topic: 'secret' });
  assert.equal((await message()).topic, 'secret');
});

test('messages and subscriptions of the program are not asked about', async (t) => {
  const refuse = () => assert.fail('asked');
  const { broker } = await open(t, {
    authorizePublish: refuse,
    authorizeSubscribe: refuse,
    authorizeReceive: refuse,
  });
  const got = new Promise<Message>((resolve) => void broker.subscribe('a', resolve));
  await broker.publish({ topic: 'a', payload: 'b' });
  assert.equal((await got).payload.toString(), 'b');
});

test('hooks learn of clients, subscriptions and messages, in order', async (t) => {
  const events: string[] = [];
  const clients = new Set<Client>();
  const note = (name: string) => (client: Client, more?: unknown) => {
    clients.add(client);
    events.push(`${name} ${client.id} ${JSON.stringify(more) ?? ''}`.trim());
  };
  let closed = (): void => undefined;
  const isClosed = new Promise<void>((resolve) => (closed = resolve));
  const { broker } = await open(t, {
    connected: note('connected'),
    subscribed: note('subscribed'),
    unsubscribed: note('unsubscribed'),
    disconnected: (client, reason) => {
      note('disconnected')(client, reason);
      closed();
    },
    published: ({ topic, payload }, client) =>
      events.push(`published ${topic} ${payload} ${client?.id}`),
  });
  const { mqtt, end } = await connectTo(broker, { clientId: 'c' });
  await mqtt.subscribeAsync('a', { qos: 1 });
  await mqtt.publishAsync('a', 'x', { qos: 1 });
  await broker.publish({ topic: 'b', payload: 'y' });
  await mqtt.unsubscribeAsync('a');
  await end();
  await isClosed;
  assert.deepEqual(events, [
    'connected c',
    'subscribed c {"filter":"a","qos":1}',
    'published a x c',
    'published b y undefined',
    'unsubscribed c "a"',
    'disconnected c "DISCONNECT"',
  ]);
  assert.equal(clients.size, 1);
});

const FAILURES: Readonly<Record<string, () => unknown>> = {
  throws: () => {
    throw new Error('broken');
  },
  rejects: () => Promise.reject(new Error('broken')),
  'never answers': never,
  'answers with nothing': () => undefined,
  'answers with a number': () => 1,
};

for (const [failure, hook] of Object.entries(FAILURES)) {
  test(`a hook that ${failure} has refused, and the log says so once`, async (t) => {
    let isBroken = { authenticate: true, authorizePublish: true, authorizeSubscribe: true };
    const failing = (name: keyof typeof isBroken) => () =>
      (isBroken[name] ? hook() : true) as boolean;
    const { broker, lines } = await open(
      t,
      {
        authenticate: failing('authenticate'),
        authorizePublish: failing('authorizePublish'),
        authorizeSubscribe: failing('authorizeSubscribe'),
      },
      { hookTimeout: 5 },
    );
    await assert.rejects(connectTo(broker), { code: 0x88 });
    await assert.rejects(connectTo(broker, { protocolVersion: 4 }), { code: 3 });
    isBroken = { ...isBroken, authenticate: false };
    const { mqtt } = await connectTo(broker);
    await assert.rejects(mqtt.publishAsync('a', 'b', { qos: 1 }), { code: 0x87 });
    assert.deepEqual(await grantedTo(mqtt, ['a']), [0x87]);
    isBroken = { authenticate: false, authorizePublish: false, authorizeSubscribe: false };
    await mqtt.publishAsync('a', 'b', { qos: 1 });
    await mqtt.subscribeAsync('a');
    assert.equal(broker.stats().hookFaults, 4);
    assert.deepEqual(warnings(lines), [
      'hook failed authenticate',
      'hook answers again authenticate',
      'hook failed authorizePublish',
      'hook failed authorizeSubscribe',
      'hook answers again authorizePublish',
      'hook answers again authorizeSubscribe',
    ]);
  });
}

test('a hook that only learns of something may fail without an effect', async (t) => {
  const broken = () => Promise.reject(new Error('broken')) as never;
  const { broker, lines } = await open(t, {
    connected: () => {
      throw new Error('broken');
    },
    published: broken,
    authorizeReceive: broken,
  });
  const { mqtt } = await connectTo(broker);
  await mqtt.subscribeAsync('a');
  await mqtt.publishAsync('a', 'b', { qos: 1 });
  await mqtt.publishAsync('marker', 'b', { qos: 1 });
  assert.deepEqual(warnings(lines).sort(), [
    'hook failed authorizeReceive',
    'hook failed connected',
    'hook failed published',
  ]);
});

test('a client that leaves while its hook thinks takes nothing with it', async (t) => {
  let answer = (_: boolean): void => undefined;
  let asked = (): void => undefined;
  const isAsked = new Promise<void>((resolve) => (asked = resolve));
  const { broker } = await open(t, {
    authorizePublish: () => {
      asked();
      return new Promise<boolean>((resolve) => (answer = resolve));
    },
  });
  const { mqtt, cut } = await connectTo(broker, { clientId: 'c' });
  mqtt.publish('a', 'b', { qos: 1 });
  await isAsked;
  cut();
  while (broker.clients().length > 0) await turn();
  answer(true);
  await turn();
  assert.equal(broker.stats().messagesReceived, 0);
  await connectTo(broker, { clientId: 'c' });
});

test('hooks and the log may call the broker, and the calls follow the event', async (t) => {
  const seen: string[] = [];
  let broker: Broker | undefined;
  const publish = (topic: string) => void broker?.publish({ topic });
  const opened = await open(
    t,
    {
      authenticate: () => {
        publish('from/authenticate');
        return true;
      },
      authorizePublish: (_client, { topic }) => {
        publish(`from/authorizePublish/${topic}`);
        return true;
      },
      authorizeReceive: (_client, topic) => {
        if (topic === 'a') publish('from/authorizeReceive');
        return true;
      },
      connected: () => publish('from/connected'),
    },
    { log: ({ event }) => event === 'client connected' && publish('from/log') },
  );
  broker = opened.broker;
  await broker.subscribe('#', ({ topic }) => seen.push(topic));
  const { mqtt, message } = await connectTo(broker);
  await mqtt.subscribeAsync('a');
  await mqtt.publishAsync('a', 'b', { qos: 1 });
  assert.equal((await message()).text, 'b');
  await turn();
  assert.deepEqual(seen.sort(), [
    'a',
    'from/authenticate',
    'from/authorizePublish/a',
    'from/authorizeReceive',
    'from/connected',
    'from/log',
  ]);
});

test('a hook may close the broker', async (t) => {
  let broker: Broker | undefined;
  let closed = (): void => undefined;
  const isClosed = new Promise<void>((resolve) => (closed = resolve));
  const opened = await open(t, {
    authorizePublish: () => {
      void broker?.close().then(closed);
      return true;
    },
  });
  broker = opened.broker;
  const { mqtt } = await connectTo(broker);
  mqtt.publish('a', 'b', { qos: 1 });
  await isClosed;
  await assert.rejects(broker.publish({ topic: 'a' }), { code: 'CLOSED' });
});

test('a published hook that publishes leaves time for everything else', async (t) => {
  let broker: Broker | undefined;
  let calls = 0;
  const opened = await open(t, {
    published: () => {
      calls += 1;
      broker?.publish({ topic: 'again' }).catch(() => undefined);
    },
  });
  broker = opened.broker;
  await broker.publish({ topic: 'first' });
  for (let turns = 0; turns < 20; turns++) await turn();
  assert.ok(calls > 5);
  await connectTo(broker);
});

const WRONG: readonly [BrokerOptions, RegExp][] = [
  [
    { hooks: { authenticat: () => true } as never },
    /^unknown hook 'authenticat'; the hooks are authenticate, /,
  ],
  [{ hooks: { connected: 1 } as never }, /^bad value for hooks.connected: expected a function$/],
  [{ hooks: 'x' as never }, /^bad value for hooks: expected an object with functions$/],
  [
    { hookTimeout: 0 },
    /^bad value '0' for hookTimeout: expected a whole number of milliseconds from 1/,
  ],
  [{ log: 'x' as never }, /^bad value for log: expected a function$/],
  [
    { maxQueuedMessage: 1 } as never,
    /^unknown option 'maxQueuedMessage'; did you mean 'maxQueuedMessages'\?$/,
  ],
  [{ maxQos: 3 as never }, /^bad value '3' for maxQos: expected 0, 1 or 2$/],
  [{ maxPacketSize: '1 kg' }, /^bad value '1 kg' for maxPacketSize: expected a size from /],
  [{ data: {} as never }, /^bad value for data: expected a string, a number, true or false/],
  [{ port: 1883 } as never, /^unknown option 'port': only createNode\(\) has it$/],
  [null as never, /^the options must be an object$/],
];

test('a wrong option rejects with its name, its value and the right form', async () => {
  for (const [options, message] of WRONG) {
    await assert.rejects(createBroker(options), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'INVALID_OPTIONS');
      assert.match(error.message, message);
      return true;
    });
  }
});
