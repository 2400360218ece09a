// Topic Names and Topic Filters: levels, wildcards, $ topics, and names that pass unchanged (chapter 4.7
// of both versions).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eachVersion, World } from '../support/mqtt-world.ts';
import * as wire from '../support/wire.ts';

/** A filter, topics that match it, topics that do not. */
const CASES: [string, string[], string[]][] = [
  [
    'sport/tennis/player1/#',
    ['sport/tennis/player1', 'sport/tennis/player1/a/b'],
    ['sport/tennis'],
  ],
  ['sport/#', ['sport', 'sport/', 'sport/a/b/c'], ['sports', '/sport']],
  ['#', ['a', '/', '/a', 'a/b', 'a//b', ' '], ['$SYS', '$SYS/a', '$x']],
  ['sport/tennis/+', ['sport/tennis/a', 'sport/tennis/'], ['sport/tennis', 'sport/tennis/a/b']],
  ['sport/+', ['sport/'], ['sport']],
  ['+', ['finance', 'a b'], ['/finance', 'a/b', '$x', '/']],
  ['+/+', ['/finance', 'a/', '/'], ['finance', '$x/y']],
  ['/+', ['/finance', '/'], ['finance', '//']],
  ['+/tennis/#', ['a/tennis', '/tennis/x'], ['tennis', '$a/tennis']],
  ['a/+/c', ['a/b/c', 'a//c'], ['a/c', 'a/b/d', 'a/b/c/d']],
  ['a//b', ['a//b'], ['a/b', 'a///b']],
  ['+/+/#', ['a/b', 'a/b/c', '//'], ['a']],
  ['a', ['a'], ['A', 'a/', '/a', 'a ', ' a', 'ä']],
];

eachVersion(
  '[MQTT3-4.7.1-2] [MQTT3-4.7.1-3] [MQTT3-4.7.2-1] [MQTT5-4.7.1-1] [MQTT5-4.7.1-2] [MQTT5-4.7.2-1] wildcards match whole levels, # also its parent level, and neither matches a leading $',
  (version) => {
    for (const [filter, matching, others] of CASES) {
      const world = new World({ sysIntervalSeconds: 0 });
      const client = world.connect('a', { version });
      client.subscribe([filter]);
      const publisher = world.connect('p', { version });
      for (const topic of [...matching, ...others]) {
        if (!topic.startsWith('$')) publisher.publish(topic, topic);
      }
      assert.deepEqual(client.payloads(), matching, filter);
    }
  },
);

test('[MQTT3-4.7.2-1] [MQTT5-4.7.2-1] $ topics of the broker match only filters that begin with $', () => {
  const world = new World({ sysIntervalSeconds: 10 });
  const wild = world.connect('a');
  wild.subscribe(['#', '+/broker/#', '+/+/+']);
  const sys = world.connect('b');
  sys.subscribe(['$SYS/#']);
  world.advance(30_000);
  const late = world.connect('c');
  late.subscribe(['#', '+/broker/version']);
  assert.deepEqual([...wild.payloads(), ...late.payloads()], []);
  assert.ok(sys.messages().length > 0);
});

eachVersion(
  'clients cannot publish to $SYS and $share, neither directly nor by a will',
  (version) => {
    const world = new World({ sysIntervalSeconds: 0 });
    const client = world.connect('a', { version });
    client.subscribe(['$SYS/#', '$SYS']);
    if (version === 4) client.subscribe('$share/#');
    client.inbox.length = 0;
    for (const topic of [
      '$SYS',
      '$SYS/broker/version',
      '$SYS/broker/connection/a/b/state',
      '$share/g/t',
    ]) {
      const publisher = world.connect('p', { version, will: { topic } });
      const puback = publisher.publish(topic, 'fake', { qos: 1 });
      assert.equal(puback?.reason, version === 5 ? 0x87 : 0);
      publisher.lose();
      client.expectNothing();
    }
  },
);

eachVersion(
  'other $ topics are delivered and retained on their node, and # and + do not match them',
  (version) => {
    const world = new World();
    const cloud = world.connect('cloud', { version });
    const all = world.connect('all', { version });
    cloud.subscribe('$aws/things/+/shadow/update');
    all.subscribe(['#', '+/things/#']);
    const device = world.connect('device', {
      version,
      will: { topic: '$aws/things/d/shadow/update', payload: 'gone' },
    });
    device.publish('$aws/things/d/shadow/update', 'state', { qos: 1, retain: true });
    device.lose();
    assert.deepEqual(cloud.payloads(), ['state', 'gone']);
    all.expectNothing();
    const late = world.connect('late', { version });
    late.subscribe('$aws/#');
    assert.deepEqual(late.payloads(), ['state']);
  },
);

test('a bridge reports its state under $SYS/broker/connection, by PUBLISH and by its will', () => {
  const world = new World();
  const topic = '$SYS/broker/connection/site.bridge/state';
  const client = world.connect('a');
  client.subscribe('$SYS/broker/connection/#');
  const bridge = world.connect('bridge', { will: { topic, payload: '0', retain: true } });
  bridge.publish(topic, '1', { qos: 1, retain: true });
  bridge.lose();
  assert.deepEqual(client.payloads(), ['1', '0']);
});

eachVersion(
  '[MQTT3-4.7.3-4] [MQTT5-4.7.3-4] [MQTT3-1.5.3-3] [MQTT5-1.5.4-3] topics are compared byte by byte: case, spaces, Unicode forms, slashes and BOMs count',
  (version) => {
    const world = new World();
    const names = [
      'é',
      'e\u0301',
      '\ufeffa',
      'a',
      'A',
      'a ',
      '/a',
      'a/',
      '\u{1f980}',
      '\u0001',
      '..',
    ];
    const clients = names.map((name, i) => {
      const client = world.connect(`c${i}`, { version });
      client.subscribe([name]);
      return client;
    });
    const publisher = world.connect('p', { version });
    for (const name of names) publisher.publish(name, name);
    for (const [i, client] of clients.entries()) {
      const got = client.messages();
      assert.deepEqual(
        got.map((message) => message.topic),
        [names[i]],
      );
      assert.equal(got[0]?.payload, names[i]);
    }
  },
);

eachVersion('[MQTT3-1.5.3-3] [MQTT5-1.5.4-3] a BOM is part of a client identifier', (version) => {
  const world = new World();
  const one = world.connect('a', { version });
  world.connect('\ufeffa', { version });
  one.expectNothing();
});

eachVersion('[MQTT3-4.7.3-3] [MQTT5-4.7.3-3] a topic of 65,535 bytes is delivered', (version) => {
  const world = new World();
  const topic = 'x'.repeat(65_535);
  const client = world.connect('a', { version });
  client.subscribe([topic]);
  world.connect('p', { version }).publish(topic, 'y', { qos: 1 });
  assert.equal(client.messages()[0]?.topic.length, 65_535);
});

eachVersion('topics beyond the limits of length or levels are refused', (version) => {
  const world = new World({ topicBytesMax: 20, topicLevelsMax: 3 });
  for (const topic of ['x'.repeat(21), 'a/b/c/d']) {
    const client = world.connect('a', { version });
    const [reason = 0] = client.subscribe([topic]).reasons;
    assert.ok(reason >= 0x80);
    client.send(wire.publish(version, { topic, qos: 1 }));
    const [answer] = client.inbox;
    const refused = client.closed || (answer?.type === 'puback' && answer.reason >= 0x80);
    assert.ok(refused || version === 4);
  }
  const fine = world.connect('b', { version });
  assert.deepEqual(fine.subscribe(['x'.repeat(20), 'a/b/c', 'a/b/#']).reasons, [2, 2, 2]);
});
