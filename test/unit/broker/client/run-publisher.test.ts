// A run of QoS 0 messages has the effect of its messages one by one. Each scenario plays in two worlds: in one of them
// the publisher's packets come in one chunk, in the other each comes alone. All that clients, other nodes and
// counters see must be alike; and where the scenario says so, there was a run.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BrokerParts } from '../../../../src/broker/broker.ts';
import type { BrokerOptions } from '../../../../src/broker/options.ts';
import type { Authorizer, ForwardResult, Identity } from '../../../../src/broker/ports.ts';
import { ListenerRates } from '../../../../src/broker/rate-limits.ts';
import { PublishRun } from '../../../../src/mqtt/publish-run.ts';
import type { PublishView } from '../../../../src/mqtt/publish-view.ts';
import { type TestClient, World } from '../../../support/mqtt-world.ts';
import * as wire from '../../../support/wire.ts';

const COUNT = 40;

interface Scenario {
  readonly version?: wire.Version;
  readonly options?: Partial<BrokerOptions>;
  readonly parts?: () => Partial<BrokerParts>;
  /** Connects the subscribers, and may change the rules for the publisher that connects next. */
  readonly prepare?: (world: World) => void;
  readonly packets?: (version: wire.Version) => Buffer[];
  /** Subscribes the publisher itself, or takes messages to see what comes next. */
  readonly before?: (publisher: TestClient, world: World) => void;
  readonly after?: (world: World) => void;
  /** Messages that go out in runs. */
  readonly inRuns: number;
}

const plain = (version: wire.Version, topic = 't', count = COUNT): Buffer[] =>
  Array.from({ length: count }, (_, i) =>
    wire.publish(version, { topic, payload: `${i} ${'x'.repeat((i % 5) * 60)}` }),
  );

const subscribed =
  (...subscribers: [string, wire.Version, wire.SubscriptionFields][]) =>
  (world: World): void => {
    for (const [name, version, fields] of subscribers) {
      world.connect(name, { version }).subscribe([fields]);
    }
  };

/** Puts a packet into the middle of a run of COUNT. */
const broken =
  (packet: (version: wire.Version) => Buffer) =>
  (version: wire.Version): Buffer[] => {
    const packets = plain(version);
    packets.splice(COUNT / 2, 0, packet(version));
    return packets;
  };

const T = { filter: 't', qos: 0 };
const ALL = COUNT;

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'subscribers of one filter': {
    prepare: subscribed(['a', 5, T], ['b', 5, { ...T, qos: 2 }]),
    inRuns: ALL,
  },
  'subscribers of several filters': {
    prepare: subscribed(['a', 5, T], ['b', 5, { filter: '+', qos: 2 }]),
    inRuns: ALL,
  },
  'a publisher of MQTT 3.1.1 and subscribers of 3.1.1': {
    version: 4,
    prepare: subscribed(['a', 4, T], ['b', 4, T]),
    inRuns: ALL,
  },
  'no subscriber': { inRuns: ALL },
  'subscribers of both versions': {
    prepare: subscribed(['a', 4, T], ['b', 5, T]),
    inRuns: 0,
  },
  'a Subscription Identifier': {
    prepare: (world) => {
      subscribed(['a', 5, T])(world);
      world.connect('b').subscribe(['t'], { subscriptionIdentifier: 7 });
    },
    inRuns: 0,
  },
  'a publisher that is a subscriber': {
    prepare: subscribed(['a', 5, T]),
    before: (publisher) => publisher.subscribe(['t']),
    inRuns: 0,
  },
  'a publisher that wants none of its own messages': {
    prepare: subscribed(['a', 5, T]),
    before: (publisher) => publisher.subscribe([{ ...T, noLocal: true }]),
    inRuns: 0,
  },
  'subscriptions that overlap, one copy for all': {
    prepare: (world) => world.connect('a').subscribe(['t', '+', '#']),
    inRuns: ALL,
  },
  'subscriptions that overlap, a copy for each': {
    options: { overlapping: 'each' },
    prepare: (world) => world.connect('a').subscribe(['t', '+', '#']),
    inRuns: 0,
  },
  'a shared group': {
    prepare: subscribed(['a', 5, { ...T, filter: '$share/g/t' }], ['b', 5, T]),
    inRuns: 0,
  },
  'Topic Aliases of a subscriber': {
    prepare: (world) => {
      world.connect('a', { properties: { topicAliasMaximum: 5 } }).subscribe(['t']);
      world.connect('b').subscribe(['t']);
    },
    inRuns: 0,
  },
  'a Maximum Packet Size that some messages exceed': {
    prepare: (world) => {
      world.connect('a', { properties: { maximumPacketSize: 150 } }).subscribe(['t']);
      world.connect('b').subscribe(['t']);
    },
    inRuns: 0,
  },
  'a subscriber that does not read, and loses the newest': {
    options: { queueMessagesMax: 7, queueDrop: 'newest' },
    inRuns: 0,
    ...slowSubscriber(),
  },
  'a subscriber that does not read, and loses the oldest': {
    options: { queueMessagesMax: 7, queueDrop: 'oldest' },
    inRuns: 0,
    ...slowSubscriber(),
  },
  'a subscriber whose client is not connected': {
    prepare: (world) => {
      const absent = world.connect('a', { properties: { sessionExpiryInterval: 60 } });
      absent.subscribe([{ ...T, qos: 1 }]);
      absent.lose();
      world.connect('b').subscribe(['t']);
    },
    inRuns: ALL,
  },
  'the QoS of the subscription instead of that of the message': {
    options: { upgradeQos: true },
    prepare: subscribed(['a', 5, { ...T, qos: 1 }], ['b', 5, T]),
    inRuns: 0,
  },
  'a retained message between others': {
    prepare: subscribed(['a', 5, { ...T, retainAsPublished: true }], ['b', 5, T]),
    packets: broken((version) => wire.publish(version, { topic: 't', payload: 'r', retain: true })),
    inRuns: ALL,
  },
  'a message of QoS 1 between others': {
    prepare: subscribed(['a', 5, { ...T, qos: 1 }]),
    packets: broken((version) =>
      wire.publish(version, { topic: 't', payload: 'q', qos: 1, id: 9 }),
    ),
    inRuns: ALL,
  },
  'a message with an expiry between others': {
    prepare: subscribed(['a', 5, T]),
    packets: broken((version) =>
      wire.publish(version, { topic: 't', properties: { messageExpiryInterval: 0 } }),
    ),
    inRuns: ALL,
  },
  'Topic Aliases of the publisher': {
    prepare: subscribed(['a', 5, T]),
    packets: (version) => [
      wire.publish(version, { topic: 't', properties: { topicAlias: 1 } }),
      ...Array.from({ length: 9 }, (_, i) =>
        wire.publish(version, { topic: '', payload: `${i}`, properties: { topicAlias: 1 } }),
      ),
    ],
    inRuns: 0,
  },
  'two topics in turn, and runs of both': {
    prepare: subscribed(['a', 5, { ...T, filter: '#' }], ['b', 5, { ...T, filter: 'other' }]),
    packets: (version) => [
      ...plain(version, 't', 5).flatMap((packet, i) => [packet, plain(version, 'u', 5)[i]!]),
      ...plain(version, 't', 10),
      ...plain(version, 'u', 10),
      ...plain(version, 'uv', 10),
    ],
    inRuns: 30,
  },
  'a topic that begins with $': {
    prepare: subscribed(['a', 5, { ...T, filter: '$x/t' }]),
    packets: (version) => plain(version, '$x/t'),
    inRuns: ALL,
  },
  'a topic that no client may publish to': {
    prepare: subscribed(['a', 5, { ...T, filter: '$SYS/#' }]),
    packets: (version) => plain(version, '$SYS/x'),
    inRuns: 0,
  },
  'PINGREQ between messages, and DISCONNECT at the end': {
    prepare: subscribed(['a', 5, T]),
    packets: (version) => [...broken(() => wire.packet(0xc0))(version), wire.disconnect()],
    inRuns: ALL,
  },
  'a message above the limit of the payload': {
    options: { payloadBytesMax: 200 },
    prepare: subscribed(['a', 5, T]),
    inRuns: 32,
  },
  'a packet above the limit': {
    options: { packetBytesMax: 200 },
    prepare: subscribed(['a', 5, T]),
    inRuns: 4,
  },
  'a packet with DUP': {
    prepare: subscribed(['a', 5, T]),
    packets: broken((version) => wire.publish(version, { topic: 't', dup: true })),
    inRuns: COUNT / 2,
  },
  'a packet with the bits of QoS 3': {
    prepare: subscribed(['a', 5, T]),
    packets: broken(() => Buffer.from([0x36, 4, 0, 1, 0x74, 0])),
    inRuns: COUNT / 2,
  },
  'a padded Remaining Length, which MQTT 5 forbids': {
    prepare: subscribed(['a', 5, T]),
    packets: broken(() => Buffer.from([0x30, 0x84, 0, 0, 1, 0x74, 0])),
    inRuns: COUNT / 2,
  },
  'a padded Remaining Length before MQTT 5': {
    version: 4,
    prepare: subscribed(['a', 4, T]),
    packets: broken(() => Buffer.from([0x30, 0x84, 0, 0, 1, 0x74, 0x78])),
    inRuns: COUNT + 1,
  },
  'messages of more than 16 KB': {
    prepare: subscribed(['a', 5, T]),
    packets: (version) => [
      ...plain(version, 't', 3),
      wire.publish(version, { topic: 't', payload: 'y'.repeat(20_000) }),
      wire.publish(version, { topic: 't', payload: 'z'.repeat(16_000) }),
      ...plain(version, 't', 3),
    ],
    inRuns: 8,
  },
  'a subscriber that may not receive them': {
    parts: () => denying('a'),
    prepare: subscribed(['a', 5, T], ['b', 5, T]),
    inRuns: ALL,
  },
  'a publisher that may not publish them': {
    parts: () => denying('publisher'),
    prepare: subscribed(['a', 5, T]),
    inRuns: 0,
  },
  'a program that sees each message': {
    parts: () => {
      const ignore = (): void => undefined;
      const lives = { connected: ignore, disconnected: ignore };
      return { events: { ...lives, subscribed: ignore, unsubscribed: ignore, published: ignore } };
    },
    prepare: subscribed(['a', 5, T]),
    inRuns: 0,
  },
  'a rate of the publisher': {
    prepare: (world) => {
      subscribed(['a', 5, T])(world);
      const rates = new ListenerRates();
      const none = Number.POSITIVE_INFINITY;
      const bytes = { clientBytes: none, listenerMessages: none, listenerBytes: none };
      rates.configure({ ...bytes, clientMessages: 1, burstSeconds: 1 });
      world.listener = { name: 'tcp', rates };
    },
    after: (world) => world.advance(COUNT * 1000),
    inRuns: 0,
  },
};

/** Denies one client what it has subscribed to, or another one what it publishes. */
function denying(client: string): Partial<BrokerParts> {
  const isAllowed = ({ clientId }: Identity): boolean => clientId !== client;
  const authorizer: Authorizer = {
    permissive: false,
    provesUsers: false,
    work: 0,
    authenticate: () => ({ reasonCode: 0 }),
    mayPublish: isAllowed,
    subscriptionRefusal: () => 0,
    mayReceive: isAllowed,
    mayReceiveAll: () => true,
    isStillAuthorized: () => true,
  };
  return { authorizer };
}

/** One that does not read before all has come. */
function slowSubscriber(): Pick<Scenario, 'before' | 'after'> {
  let slow: TestClient;
  return {
    before: (_, world) => {
      world.connect('b').subscribe(['t']);
      slow = world.connect('slow');
      slow.subscribe(['t']);
      slow.congest(true);
    },
    after: () => slow.congest(false),
  };
}

interface Forwarded {
  readonly packets: string[];
  readonly clientIds: Set<string | undefined>;
}

class WatchedWorld extends World {
  readonly clients = new Map<string, TestClient>();
  readonly forwarded: Forwarded = { packets: [], clientIds: new Set() };
  inRuns = 0;

  constructor({ options = {}, parts }: Scenario) {
    super(options, parts?.());
    const forward = (view: PublishView, topic: Buffer, id: string | undefined): ForwardResult => {
      const { buffer, start, end, topicStart, topicEnd, payloadStart } = view;
      assert.ok(buffer.subarray(topicStart, topicEnd).equals(topic) || topicStart === topicEnd);
      const payload = buffer.toString('latin1', payloadStart, end);
      this.forwarded.packets.push(`${buffer.toString('latin1', start, end)} ${payload}`);
      this.forwarded.clientIds.add(id);
      return 'forwarded';
    };
    this.broker.forwarder = { forward, lastNumber: 1 };
    const { distributor } = this.broker.context;
    const distributeRun = distributor.distributeRun.bind(distributor);
    distributor.distributeRun = (run, ...rest) => {
      const isDone = distributeRun(run, ...rest);
      if (isDone) this.inRuns += run.count;
      return isDone;
    };
  }

  override connect(clientId: string, fields: wire.ConnectFields = {}): TestClient {
    const client = super.connect(clientId, fields);
    this.clients.set(clientId, client);
    return client;
  }
}

/** @returns all that anyone sees afterwards */
function play(scenario: Scenario, isTogether: boolean): { seen: unknown; inRuns: number } {
  const { version = 5, packets = plain } = scenario;
  const world = new WatchedWorld(scenario);
  scenario.prepare?.(world);
  const publisher = world.connect('publisher', { version });
  scenario.before?.(publisher, world);
  // The last packet comes in two parts, as it does where a read ends within it.
  const all = [...packets(version), wire.publish(version, { topic: 't', payload: 'last' })];
  if (isTogether) {
    const bytes = Buffer.concat(all);
    publisher.send(bytes.subarray(0, -1), bytes.subarray(-1));
  } else {
    for (const packet of all) publisher.send(packet);
  }
  world.broker.runDeferred(world.now);
  scenario.after?.(world);
  const clients = [...world.clients].map(([name, client]) => ({
    name,
    closed: client.closed,
    packets: client.inbox.map(({ bytes }) => bytes.toString('latin1')),
  }));
  const { stats, administration } = world.broker;
  const { bytesReceived: _, ...counters } = stats;
  const sessions = [...administration.sessions()];
  const { forwarded, inRuns } = world;
  return { seen: { clients, counters, sessions, forwarded }, inRuns };
}

for (const [name, scenario] of Object.entries(SCENARIOS)) {
  test(`messages in one chunk have the same effect as one by one: ${name}`, () => {
    const alone = play(scenario, false);
    const together = play(scenario, true);
    assert.deepEqual(together.seen, alone.seen);
    assert.equal(alone.inRuns, 0);
    assert.equal(together.inRuns, scenario.inRuns);
  });
}

test('a run for many subscribers takes no more work than the turn has left', () => {
  const world = new World();
  const subscribers = Array.from({ length: 500 }, (_, i) => world.connect(`s${i}`));
  for (const subscriber of subscribers) subscriber.subscribe('t');
  const payload = 'x'.repeat(600);
  const packets = Array.from({ length: 100 }, () => wire.publish(5, { topic: 't', payload }));
  world.connect('publisher').send(Buffer.concat(packets));
  const first = subscribers[0]?.inbox.length ?? 0;
  assert.ok(first > 1 && first < 60, `${first} messages in the first turn`);
  for (let turn = 0; turn < 10; turn++) world.broker.runDeferred(world.now);
  for (const subscriber of subscribers) assert.equal(subscriber.messages().length, 100);
});

test('a limit on the rate that is set later holds for the next chunk', () => {
  const world = new World();
  const rates = new ListenerRates();
  world.listener = { name: 'tcp', rates };
  const subscriber = world.connect('s');
  subscriber.subscribe('t');
  const publisher = world.connect('p');
  const chunk = Buffer.concat(plain(5));
  publisher.send(chunk);
  assert.equal(subscriber.messages().length, COUNT);
  const none = Number.POSITIVE_INFINITY;
  const bytes = { clientBytes: none, listenerMessages: none, listenerBytes: none };
  rates.configure({ ...bytes, clientMessages: 5, burstSeconds: 1 });
  publisher.send(chunk);
  assert.ok(subscriber.messages().length < COUNT);
});

test('the broker looks at each message a few times at most, even if many clients flood at the same time', (t) => {
  const { find } = PublishRun.prototype;
  let looks = 0;
  t.mock.method(PublishRun.prototype, 'find', function (this: PublishRun, ...args: never) {
    const isRun = find.apply(this, args);
    looks += this.count;
    return isRun;
  });
  const world = new World();
  const { broker } = world;
  const chunk = Buffer.concat(Array(9000).fill(wire.publish(5, { topic: 't' })));
  for (let i = 0; i < 50; i++) world.connect(`p${i}`).send(chunk);
  while (broker.stats.publishReceived < 50 * 9000) broker.runDeferred(world.now);
  assert.ok(looks < 3 * 50 * 9000, `${looks} looks`);
});

test('two chunks in turn that go one by one are looked at once each', (t) => {
  const find = t.mock.method(PublishRun.prototype, 'find');
  const world = new World();
  const { broker } = world;
  for (let i = 0; i < 100; i++) world.connect(`s${i}`, { version: 4 }).subscribe('t');
  const payload = 'x'.repeat(400);
  const chunk = Buffer.concat(Array(150).fill(wire.publish(5, { topic: 't', payload })));
  for (const name of ['p', 'q']) world.connect(name).send(chunk);
  while (broker.stats.publishReceived < 300) broker.runDeferred(world.now);
  assert.equal(find.mock.callCount(), 2);
});
