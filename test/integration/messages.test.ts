// What crosses between the nodes of a cluster and what doesn't, as clients see it. One cluster of
// three on loopback for all tests here; each has topics of its own.

import assert from 'node:assert/strict';
import type { IClientOptions } from 'mqtt';
import { type Node, restartFlags, type Scenario, scenario } from './support/scenario.ts';
import type { TestClient } from './support/test-client.ts';

type Nodes = readonly [Node, Node, Node];

const BACKLOG_MESSAGES = 1500;

type Body = (scene: Scenario, nodes: Nodes) => Promise<void>;

/** By name; run side by side, but for the burst. */
const tests: Record<string, Body> = {
  'each client of each node gets each message once, in order': async (scene, nodes) => {
    const perNode = 200;
    const clients = await onEach(scene, nodes, 'once/#', 1);
    for (let number = 0; number < perNode; number++) {
      await Promise.all(
        clients.map((client, index) =>
          client.publish(`once/${index}`, `${number}`, { qos: number % 2 === 0 ? 0 : 1 }),
        ),
      );
    }
    await settled(clients, 'once');
    const expected = Array.from({ length: perNode }, (_, number) => `${number}`);
    for (const client of clients) {
      for (const index of clients.keys()) assert.deepEqual(client.texts(`once/${index}`), expected);
    }
  },

  'a burst reaches all clients of its node whole, and those of other nodes in order': async (
    scene,
    nodes,
  ) => {
    const count = 20_000;
    const [near, far] = await onEach(scene, nodes, 'burst/#', 0);
    assert.ok(near !== undefined && far !== undefined);
    const publisher = await scene.client(nodes[0]);
    for (let number = 0; number < count; number++) {
      publisher.mqtt.publish('burst/a', `${number}`, { qos: 0 });
    }
    await publisher.publish('burst/end', 'x', { qos: 1 });
    await near.arrival('burst/end', undefined, 60_000);
    const expected = Array.from({ length: count }, (_, number) => number);
    assert.deepEqual(near.texts('burst/a').map(Number), expected);
    await far.arrival('burst/end');
    const numbers = far.texts('burst/a').map(Number);
    assert.deepEqual(numbers, [...new Set(numbers)].sort(ascending));
    assert.ok(numbers.length > count / 2, `${numbers.length} of ${count} crossed`);
  },

  'no-local applies to the client itself; clients of other nodes get its messages': async (
    scene,
    nodes,
  ) => {
    const [own, other] = await Promise.all([scene.client(nodes[0]), scene.client(nodes[1])]);
    await own.mqtt.subscribeAsync({ 'own/#': { qos: 1, nl: true } });
    await other.subscribe('own/#', 1);
    await own.publish('own/a', 'x', { qos: 1 });
    await other.arrival('own/a');
    await other.publish('own/b', 'x', { qos: 1 });
    await own.arrival('own/b');
    assert.deepEqual(own.texts('own/a'), []);
  },

  'a PUBLISH of 4095 bytes crosses, one of 4096 stays on its node': async (scene, nodes) => {
    const clients = await onEach(scene, nodes, 'size/#', 2);
    const counter = '$SYS/broker/cluster/sync/tooLargeMessages';
    const [first] = clients;
    assert.ok(first !== undefined);
    await first.subscribe(counter);
    const before = Number((await first.arrival(counter)).text);
    let tooLarge = 0;
    for (const protocolVersion of [4, 5] as const) {
      const publisher = await scene.client(nodes[0], { protocolVersion });
      for (const qos of [0, 1, 2] as const) {
        for (const bytes of [4095, 4096]) {
          const topic = `size/${protocolVersion}/${qos}/${bytes}`;
          await publisher.publish(topic, 'x'.repeat(payloadBytes(bytes, topic, qos)), { qos });
          await first.arrival(topic);
          if (bytes >= 4096) tooLarge += 1;
        }
      }
    }
    await first.arrival(counter, ({ text }) => Number(text) === before + tooLarge);
    await settled(clients, 'size');
    for (const client of clients) {
      const sizes = client.arrivals
        .filter(({ topic }) => topic.startsWith('size/'))
        .map(({ topic }) => topic.split('/').at(-1));
      assert.equal(sizes.filter((size) => size === '4095').length, 6);
      assert.equal(sizes.filter((size) => size === '4096').length, client === first ? 6 : 0);
    }
  },

  'topics that begin with $ stay on their node': async (scene, nodes) => {
    for (const [index, node] of nodes.entries()) {
      const client = await scene.client(node);
      await client.subscribe('$SYS/broker/cluster/node');
      // Uptime is published each second, so by the second time every node has published its values.
      await client.subscribe('$SYS/broker/uptime');
      await client.until(() => client.on('$SYS/broker/uptime').length > 2, 'two rounds of $SYS');
      assert.deepEqual(client.texts('$SYS/broker/cluster/node'), [`n${index + 1}`]);
      const values = client.arrivals.filter(({ topic }) => topic === '$SYS/broker/uptime');
      assert.equal(new Set(values.map(({ text }) => text)).size, values.length, 'only its own');
    }
  },

  'a PUBLISH of a client to a $ topic reaches no client of another node': async (scene, nodes) => {
    const clients = await onEach(scene, nodes, '$own/#', 1);
    await Promise.all(clients.map((client) => client.subscribe('dollar/#', 1)));
    const [first] = clients;
    assert.ok(first !== undefined);
    const old = await scene.client(nodes[0], { protocolVersion: 4 });
    await old.publish('$own/old', 'x', { qos: 1 });
    await first.publish('$own/new', 'x', { qos: 1 });
    await first.arrival('$own/new');
    await settled(clients, 'dollar');
    const [, ...others] = clients;
    for (const client of others) {
      assert.deepEqual(
        client.arrivals.filter(({ topic }) => topic.startsWith('$')),
        [],
      );
    }
  },

  'a retained message is set and cleared on every node': async (scene, nodes) => {
    const clients = await onEach(scene, nodes, 'kept/#', 0);
    const [first, second] = clients;
    assert.ok(first !== undefined && second !== undefined);
    await first.publish('kept/a', 'value', { retain: true, qos: 1 });
    await Promise.all(clients.map((client) => client.arrival('kept/a')));
    for (const late of await onEach(scene, nodes, 'kept/#', 1)) {
      const { text, packet } = await late.arrival('kept/a');
      assert.equal(text, 'value');
      assert.equal(packet.retain, true);
      assert.equal(packet.qos, 1);
    }
    await second.publish('kept/a', '', { retain: true, qos: 1 });
    await Promise.all(clients.map((client) => client.arrival('kept/a', ({ text }) => text === '')));
    const late = await onEach(scene, nodes, 'kept/#', 1);
    await settled(late, 'kept');
    for (const client of late) assert.deepEqual(client.texts('kept/a'), []);
  },

  'a will crosses when the connection of its client breaks': async (scene, nodes) => {
    const watchers = await onEach(scene, nodes, 'will/#', 1);
    const will = { topic: 'will/a', payload: Buffer.from('gone'), qos: 1, retain: false } as const;
    const client = await scene.client(nodes[1], {
      will: { ...will, properties: { contentType: 'text/plain', userProperties: { a: 'b' } } },
    });
    await client.cut();
    for (const watcher of watchers) {
      const { text, packet } = await watcher.arrival('will/a');
      assert.equal(text, 'gone');
      assert.equal(packet.properties?.contentType, 'text/plain');
      assert.deepEqual({ ...packet.properties?.userProperties }, { a: 'b' });
    }
  },

  'MQTT 5 properties cross, and older clients understand each other': async (scene, nodes) => {
    const clients = await onEach(scene, nodes, 'props/#', 1);
    const old = await scene.client(nodes[1], { protocolVersion: 4 });
    await old.subscribe('props/#', 1);
    const publisher = await scene.client(nodes[0], { properties: { topicAliasMaximum: 5 } });
    const correlationData = Buffer.from([0, 255, 128, 10]);
    const userProperties = { second: 'b', first: ['a', 'c', 'a'], '': '', ü: '日本' };
    const properties = {
      payloadFormatIndicator: true,
      messageExpiryInterval: 1000,
      contentType: 'application/json',
      responseTopic: 'answer/here',
      correlationData,
      userProperties,
    };
    await publisher.publish('props/a', '{"ü":1}', {
      qos: 1,
      properties: { ...properties, topicAlias: 3 },
    });
    // The topic by its alias alone.
    await publisher.publish('', '{"ü":2}', {
      qos: 1,
      properties: { ...properties, topicAlias: 3 },
    });
    for (const client of clients) {
      for (const number of [1, 2]) {
        const { text, packet } = await client.arrival('props/a', (one) =>
          one.text.includes(`${number}`),
        );
        const { messageExpiryInterval = 0, ...others } = packet.properties ?? {};
        assert.equal(text, `{"ü":${number}}`);
        assert.ok(messageExpiryInterval === 1000 || messageExpiryInterval === 999);
        assert.deepEqual(
          { ...others, userProperties: { ...others.userProperties } },
          {
            payloadFormatIndicator: true,
            contentType: 'application/json',
            responseTopic: 'answer/here',
            correlationData,
            userProperties,
          },
        );
        assert.deepEqual(Object.keys(others.userProperties ?? {}), Object.keys(userProperties));
      }
    }
    await old.until(() => old.texts('props/a').length === 2, 'both at the client of 3.1.1');
    await old.publish('props/old', 'x', { qos: 1 });
    for (const client of clients) {
      const { packet } = await client.arrival('props/old');
      assert.deepEqual({ ...packet.properties }, {});
    }
  },

  'a request is answered across nodes': async (scene, nodes) => {
    const [asking, answering] = await Promise.all([scene.client(nodes[0]), scene.client(nodes[2])]);
    await Promise.all([asking.subscribe('rpc/answer/1'), answering.subscribe('rpc/ask')]);
    answering.mqtt.on('message', (_topic, _payload, { properties }) => {
      const { responseTopic = '', correlationData } = properties ?? {};
      if (correlationData === undefined) return;
      answering.mqtt.publish(responseTopic, 'answer', { properties: { correlationData } });
    });
    const correlationData = Buffer.from('id-1');
    await asking.publish('rpc/ask', '?', {
      properties: { responseTopic: 'rpc/answer/1', correlationData },
    });
    const { packet } = await asking.arrival('rpc/answer/1');
    assert.deepEqual(packet.properties?.correlationData, correlationData);
  },

  'a message of another node waits for the client of a persistent session': async (
    scene,
    nodes,
  ) => {
    for (const [name, options] of Object.entries(persistent)) {
      const absent = await scene.client(nodes[1], { ...options, clientId: `absent-${name}` });
      assert.equal(absent.sessionPresent, false);
      await absent.subscribe([`wait/${name}`, `expire/${name}`], 2);
      await absent.cut();
      const publisher = await scene.client(nodes[0]);
      const witness = await scene.client(nodes[1]);
      await witness.subscribe([`wait/${name}`, '$SYS/broker/uptime'], 2);
      const expiry = { messageExpiryInterval: 1 };
      await publisher.publish(`expire/${name}`, 'short', { qos: 1, properties: expiry });
      const longer = { messageExpiryInterval: 60 };
      for (const qos of [1, 2] as const) {
        await publisher.publish(`wait/${name}`, `${qos}`, { qos, properties: longer });
      }
      await witness.until(() => witness.texts(`wait/${name}`).length === 2, 'both on the node');
      const seen = witness.on('$SYS/broker/uptime').length;
      await witness.until(
        () => witness.on('$SYS/broker/uptime').length > seen + 2,
        'more than a second',
      );
      await absent.reconnect();
      assert.equal(absent.sessionPresent, true);
      await absent.until(() => absent.texts(`wait/${name}`).length === 2, 'both after the return');
      assert.deepEqual(absent.texts(`wait/${name}`), ['1', '2']);
      assert.deepEqual(absent.texts(`expire/${name}`), [], 'expired while it waited');
      if (name === 'v5') {
        const left = absent.on(`wait/${name}`)[0]?.packet.properties?.messageExpiryInterval ?? 0;
        assert.ok(left > 50 && left < 60, `${left} s left`);
      }
    }
  },

  'a QoS 2 message arrives exactly once on the other node although its client reconnects': async (
    scene,
    nodes,
  ) => {
    const clientId = 'qos2-reader';
    const reader = await scene.client(nodes[2], { ...persistent.v5, clientId });
    await reader.subscribe('exact/#', 2);
    const publisher = await scene.client(nodes[0]);
    const count = 40;
    for (let number = 0; number < count; number++) {
      await publisher.publish('exact/a', `${number}`, { qos: 2 });
      if (number % 10 !== 5) continue;
      await reader.arrival('exact/a', ({ text }) => text === `${number}`);
      await reader.cut();
      await reader.reconnect();
      assert.equal(reader.sessionPresent, true);
    }
    await publisher.publish('exact/end', 'x', { qos: 2 });
    await reader.arrival('exact/end');
    const expected = Array.from({ length: count }, (_, number) => `${number}`);
    assert.deepEqual(reader.texts('exact/a'), expected);
  },

  'each node serves a shared subscription for its own members': async (scene, nodes) => {
    const count = 30;
    const members = await Promise.all(
      [nodes[0], nodes[0], nodes[1], nodes[1]].map((node) => scene.client(node)),
    );
    await Promise.all(members.map((member) => member.subscribe('$share/group/shared/#', 1)));
    const publisher = await scene.client(nodes[2]);
    for (let number = 0; number < count; number++) {
      await publisher.publish('shared/a', `${number}`, { qos: 1 });
    }
    for (const pair of [members.slice(0, 2), members.slice(2)]) {
      for (const member of pair) {
        await member.until(() => member.arrivals.length >= count / 2, 'half of the messages');
        assert.equal(member.arrivals.length, count / 2, 'shared evenly');
      }
      const numbers = pair.flatMap((member) => member.texts('shared/a').map(Number));
      assert.deepEqual(numbers.sort(ascending), [...new Array(count).keys()]);
    }
  },
};

const persistent: Record<'v311' | 'v5', IClientOptions> = {
  v311: { protocolVersion: 4, clean: false },
  v5: { protocolVersion: 5, clean: false, properties: { sessionExpiryInterval: 300 } },
};

scenario('messages between three nodes', async (scene, context) => {
  const [n1, n2, n3] = await scene.localCluster(3, '-sys-interval=1');
  assert.ok(n1 !== undefined && n2 !== undefined && n3 !== undefined);
  const run = ([name, body]: [string, Body]): Promise<void> =>
    context.test(name, () => body(scene, [n1, n2, n3]));
  // The burst may lose messages between nodes, and those of the other tests with them.
  const isBurst = ([name]: [string, Body]): boolean => name.startsWith('a burst');
  const all = Object.entries(tests);
  await Promise.all(all.filter((one) => !isBurst(one)).map(run));
  await Promise.all(all.filter(isBurst).map(run));
  assert.doesNotMatch(scene.logs, /cluster (suspect|offline)/);
});

scenario(
  'after each of ten restarts the backlog of a client that reconnects reaches the other node whole',
  async (scene) => {
    const [n1, n2] = await scene.localCluster(2);
    assert.ok(n1 !== undefined && n2 !== undefined);
    const flags = [...(await restartFlags(n1)), `-mbs=${await n2.process.gossipAddress()}`];
    const subscriber = await scene.client(n2);
    // QoS 0, so that the bound of a client's queue (1000) takes no part.
    await subscriber.subscribe('backlog/#', 0);
    const publisher = await scene.client(n1, { reconnectPeriod: 10 });
    let node = n1;
    for (let restart = 0; restart < 10; restart++) {
      await node.process.kill();
      const topic = `backlog/${restart}`;
      const acknowledged = Array.from({ length: BACKLOG_MESSAGES }, (_, number) =>
        publisher.publish(topic, `${number}`, { qos: 1 }),
      );
      node = await scene.startLocal('n1', ...flags);
      await Promise.all(acknowledged);
      await publisher.publish(topic, 'end', { qos: 1 });
      await subscriber.arrival(topic, ({ text }) => text === 'end');
      const arrived = new Set(subscriber.texts(topic));
      assert.equal(arrived.size, BACKLOG_MESSAGES + 1, `restart ${restart}`);
    }
  },
);

/** A client on each node, subscribed. */
async function onEach(
  scene: Scenario,
  nodes: Nodes,
  filter: string,
  qos: 0 | 1 | 2,
): Promise<TestClient[]> {
  const clients = await Promise.all(nodes.map((node) => scene.client(node)));
  await Promise.all(clients.map((client) => client.subscribe(filter, qos)));
  return clients;
}

let rounds = 0;

/**
 * Resolves when nothing more can be on its way under the prefix: each client in turn publishes a
 * mark after it got all marks before, and a node sends all that it forwards in order.
 */
async function settled(clients: readonly TestClient[], prefix: string): Promise<void> {
  rounds += 1;
  for (let pass = 0; pass < 2; pass++) {
    for (const [index, client] of clients.entries()) {
      const mark = `${prefix}/mark-${rounds}-${pass}-${index}`;
      await client.publish(mark, '', { qos: 1 });
      await Promise.all(clients.map((each) => each.arrival(mark)));
    }
  }
}

/** What is left for the payload of a PUBLISH without properties, as MQTT 5 encodes it. */
function payloadBytes(packetBytes: number, topic: string, qos: number): number {
  const fixedHeader = 3;
  const packetId = qos > 0 ? 2 : 0;
  const propertyLength = 1;
  return packetBytes - fixedHeader - 2 - topic.length - packetId - propertyLength;
}

function ascending(a: number, b: number): number {
  return a - b;
}
