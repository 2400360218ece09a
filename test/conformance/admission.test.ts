// Admission: refusals of the authorizer, limits on clients and sessions, and packets that arrive while
// the authorizer decides (MQTT 5.0 3.1.4, 3.2.2.2; MQTT 3.1.1 3.1.4, 3.2.2.3).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuthDecision, Authorizer } from '../../src/broker/ports.ts';
import { openAuthorizer } from '../../src/broker/ports.ts';
import { eachVersion, type TestClient, World } from '../support/mqtt-world.ts';
import * as wire from '../support/wire.ts';

const SECOND = 1000;

interface SlowAuthorizer {
  readonly authorizer: Authorizer;
  /** Answers the oldest CONNECT that waits. */
  readonly decide: (world: World, decision?: AuthDecision) => void;
}

/** Decides only when the test calls it. */
function slowAuthorizer(): SlowAuthorizer {
  const waiting: ((decision: AuthDecision, now: number) => void)[] = [];
  return {
    authorizer: {
      ...openAuthorizer,
      authenticate: (_request, done) => {
        waiting.push(done);
        return undefined;
      },
    },
    decide: ({ now }, decision = { reasonCode: 0 }) => waiting.shift()?.(decision, now),
  };
}

eachVersion(
  '[MQTT3-3.1.4-5] [MQTT5-3.1.4-2] [MQTT5-3.1.4-6] [MQTT5-3.2.2-7] [MQTT3-3.2.2-4] [MQTT3-3.2.2-5] a client that the authorizer refuses gets the reason and is disconnected, and its packets are not processed',
  (version) => {
    const codes: [number, number][] = [
      [0x86, 4],
      [0x87, 5],
      [0x88, 3],
    ];
    for (const [reasonCode, returnCode] of codes) {
      const authorizer: Authorizer = {
        ...openAuthorizer,
        authenticate: ({ clientId }) => ({ reasonCode: clientId === 'a' ? reasonCode : 0 }),
      };
      const world = new World({}, { authorizer });
      const watcher = world.connect('w');
      watcher.subscribe(['#']);
      const client = world.open(version);
      const will = { topic: 'will', payload: 'x' };
      client.connect({ clientId: 'a', username: 'u', password: 'wrong', will });
      client.expectRefused(version === 5 ? reasonCode : returnCode);
      const piped = world.open(version);
      piped.send(
        Buffer.concat([
          wire.connect({ version, clientId: 'a' }),
          wire.publish(version, { topic: 't' }),
        ]),
      );
      assert.deepEqual(
        piped.inbox.map(({ type }) => type),
        ['connack'],
      );
      watcher.expectNothing();
    }
  },
);

eachVersion('a refused client does not take over the session of another', (version) => {
  let refuse = false;
  const authorizer: Authorizer = {
    ...openAuthorizer,
    authenticate: () => ({ reasonCode: refuse ? 0x86 : 0 }),
  };
  const world = new World({}, { authorizer });
  const first = world.connect('a', { version });
  refuse = true;
  const thief = world.open(version);
  thief.connect({ clientId: 'a' });
  assert.ok(thief.closed);
  first.send(wire.PINGREQ);
  first.expect('pingresp');
});

eachVersion(
  'packets that arrive during authentication are processed afterwards, in order',
  (version) => {
    const { authorizer, decide } = slowAuthorizer();
    const world = new World({}, { authorizer });
    const client = world.open(version);
    client.send(
      Buffer.concat([wire.connect({ version, clientId: 'a' }), wire.subscribe(version, 1, ['t'])]),
    );
    const bytes = wire.publish(version, { topic: 't', payload: 'x', qos: 1, id: 2 });
    client.send(bytes.subarray(0, 3));
    client.send(Buffer.concat([bytes.subarray(3), wire.PINGREQ]));
    client.expectNothing();
    decide(world);
    const types = client.inbox.map(({ type }) => type).filter((type) => type !== 'publish');
    assert.deepEqual(types, ['connack', 'suback', 'puback', 'pingresp']);
  },
);

eachVersion(
  'a client that disconnects during authentication leaves no session behind',
  (version) => {
    const { authorizer, decide } = slowAuthorizer();
    const world = new World({}, { authorizer });
    const client = world.open(version);
    client.send(wire.connect({ version, clientId: 'a', clean: false }));
    client.lose();
    decide(world);
    assert.equal(client.inbox.length, 0);
    const again = world.open(version);
    again.send(wire.connect({ version, clientId: 'a', clean: false }));
    decide(world);
    assert.equal(again.expect('connack').sessionPresent, false);
  },
);

eachVersion(
  'of two connections with one Client Identifier, the one accepted last stays',
  (version) => {
    const { authorizer, decide } = slowAuthorizer();
    const world = new World({}, { authorizer });
    const [one, two] = [world.open(version), world.open(version)];
    for (const client of [one, two]) client.send(wire.connect({ version, clientId: 'a' }));
    decide(world);
    decide(world);
    one.expect('connack');
    one.expectEnded(0x8e);
    two.expect('connack');
    two.expectNothing();
  },
);

eachVersion('permissions follow the user name that the authorizer returns', (version) => {
  const authorizer: Authorizer = {
    ...openAuthorizer,
    permissive: false,
    provesUsers: false,
    authenticate: () => ({ reasonCode: 0, username: 'proven' }),
    mayPublish: ({ username }) => username === 'proven',
  };
  const world = new World({}, { authorizer });
  const sub = world.connect('s');
  sub.subscribe(['t']);
  world.connect('p', { version, username: 'claimed' }).publish('t', 'x', { qos: 1 });
  assert.deepEqual(sub.payloads(), ['x']);
});

eachVersion('clients beyond the limit are refused until another one disconnects', (version) => {
  const world = new World({ connectionsMax: 2 });
  const first = world.connect('a', { version });
  world.connect('b', { version });
  const third = world.open(version);
  third.connect({ clientId: 'c' });
  third.expectRefused(version === 5 ? 0x97 : 0x03);
  first.leave();
  world.connect('c', { version });
});

eachVersion('new sessions beyond the limit are refused, existing ones are resumed', (version) => {
  const world = new World({ sessionsMax: 1 });
  const properties = version === 5 ? { sessionExpiryInterval: 60 } : {};
  const keep = { version, clean: false, properties };
  world.connect('a', keep).lose();
  const second = world.open(version);
  second.connect({ clientId: 'b', ...keep });
  second.expectRefused(version === 5 ? 0x97 : 0x03);
  assert.equal(world.connect('a', keep).connack.sessionPresent, true);
});

for (const limit of ['connectionsMax', 'sessionsMax']) {
  eachVersion(`${limit} also holds for clients that authenticate at the same time`, (version) => {
    const { authorizer, decide } = slowAuthorizer();
    const world = new World({ [limit]: 1 }, { authorizer });
    const clients = ['a', 'b'].map((clientId) => {
      const client = world.open(version);
      client.connect({ clientId });
      return client;
    });
    for (let i = 0; i < clients.length; i++) decide(world);
    const [first, second] = clients as [TestClient, TestClient];
    assert.equal(first.expect('connack').reason, 0);
    assert.equal(second.expect('connack').reason, version === 5 ? 0x97 : 0x03);
    assert.equal(second.closed, true);
    assert.equal(world.broker.sessionCount, 1);
  });
}

test('a payload that claims to be UTF-8 text and is not is refused with 0x99', () => {
  const world = new World();
  const sub = world.connect('s');
  sub.subscribe(['t']);
  const pub = world.connect('p');
  const payload = Buffer.from([0xff, 0xfe]);
  const properties = { payloadFormatIndicator: 1 };
  for (const qos of [1, 2]) {
    pub.send(wire.publish(5, { topic: 't', payload, qos, id: qos, properties }));
    assert.equal(pub.expect(qos === 1 ? 'puback' : 'pubrec').reason, 0x99);
  }
  sub.expectNothing();
  pub.send(wire.publish(5, { topic: 't', payload, properties: { payloadFormatIndicator: 0 } }));
  assert.equal(sub.messages().length, 1);
});

test('a stopping broker disconnects MQTT 5 clients with 0x8B and closes older ones', () => {
  const world = new World();
  const client = world.connect('a');
  const old = world.connect('b', { version: 4 });
  world.broker.shutdown(world.now);
  client.expectEnded(0x8b);
  old.expectEnded();
});

test("$SYS uses mosquitto's topic names", () => {
  const world = new World({ sysIntervalSeconds: 10 });
  world.advance(20 * SECOND);
  const client = world.connect('a');
  client.subscribe(['$SYS/#']);
  const topics = new Set(client.messages().map((message) => message.topic));
  const load = ['messages/received', 'messages/sent', 'publish/received', 'publish/sent'];
  const names = [
    'version',
    'uptime',
    'clients/total',
    'clients/connected',
    'clients/disconnected',
    'clients/maximum',
    'clients/expired',
    'messages/received',
    'messages/sent',
    'messages/stored',
    'publish/messages/received',
    'publish/messages/sent',
    'publish/messages/dropped',
    'publish/bytes/received',
    'publish/bytes/sent',
    'bytes/received',
    'bytes/sent',
    'retained messages/count',
    'subscriptions/count',
    'shared_subscriptions/count',
    'store/messages/count',
    'store/messages/bytes',
    ...load.flatMap((name) => ['1min', '5min', '15min'].map((span) => `load/${name}/${span}`)),
  ];
  assert.deepEqual(
    names.filter((name) => !topics.has(`$SYS/broker/${name}`)),
    [],
  );
});

test('$SYS counts the messages and bytes of PUBLISH in both directions', () => {
  const world = new World({ sysIntervalSeconds: 10 });
  world.advance(0);
  const client = world.connect('a', { version: 4 });
  client.subscribe(['t']);
  client.publish('t', 'four', { qos: 0 });
  assert.deepEqual(client.payloads(), ['four']);
  client.publish('other', '', { qos: 1 });
  world.advance(10 * SECOND);
  const reader = world.connect('b', { version: 4 });
  reader.subscribe(['$SYS/broker/publish/#', '$SYS/broker/messages/#']);
  const values = new Map(reader.messages().map(({ topic, payload }) => [topic, payload]));
  const value = (name: string): number => Number(values.get(`$SYS/broker/${name}`));
  assert.equal(value('publish/messages/received'), 2);
  // Fixed header 2, topic 2 + 1, payload 4; and 2, 2 + 5, identifier 2.
  assert.equal(value('publish/bytes/received'), 9 + 11);
  assert.equal(value('publish/messages/sent'), 1);
  assert.equal(value('publish/bytes/sent'), 9);
  // CONNECT, SUBSCRIBE and two PUBLISH; their answers except to QoS 0, and one PUBLISH.
  assert.equal(value('messages/received'), 4);
  assert.equal(value('messages/sent'), 4);
});

test('$SYS publishes changed values at its interval, and none if the interval is 0', () => {
  const world = new World({ sysIntervalSeconds: 10, version: '1.2.3' });
  world.advance(0);
  const early = world.connect('a');
  early.subscribe(['$SYS/broker/version', '$SYS/broker/uptime', '$SYS/broker/clients/connected']);
  world.advance(10 * SECOND);
  const values = new Map(early.messages().map(({ topic, payload }) => [topic, payload]));
  assert.match(values.get('$SYS/broker/version') ?? '', /1\.2\.3/);
  assert.equal(values.get('$SYS/broker/uptime'), '10 seconds');
  assert.equal(values.get('$SYS/broker/clients/connected'), '1');
  const off = new World({ sysIntervalSeconds: 0 });
  const client = off.connect('a');
  client.subscribe(['$SYS/#']);
  off.advance(100 * SECOND);
  client.expectNothing();
});

eachVersion(
  'Keep Alive begins when the authentication is finished, however long it took',
  (version) => {
    const { authorizer, decide } = slowAuthorizer();
    const world = new World({}, { authorizer });
    const client = world.open(version);
    client.send(wire.connect({ version, clientId: 'a', keepAlive: 3 }));
    world.now += 4.6 * SECOND;
    decide(world);
    client.expect('connack');
    world.advance(4.4 * SECOND);
    client.expectNothing();
    world.advance(0.2 * SECOND);
    client.expectEnded(0x8d);
  },
);

eachVersion(
  'a token expires as long after the authentication as the authorizer says',
  (version) => {
    const { authorizer, decide } = slowAuthorizer();
    const world = new World({}, { authorizer });
    const client = world.open(version);
    client.send(wire.connect({ version, clientId: 'a' }));
    world.now += 4.6 * SECOND;
    decide(world, { reasonCode: 0, expiresInMs: 3 * SECOND });
    client.expect('connack');
    world.advance(2.9 * SECOND);
    client.expectNothing();
    world.advance(0.2 * SECOND);
    client.expectEnded(0xa0);
  },
);
