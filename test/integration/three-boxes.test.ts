// Three boxes as the README starts them, each with its own address and the default ports, and the
// clients that people have: mosquitto's programs and MQTT.js.

import assert from 'node:assert/strict';
import type { Network } from '../support/network.ts';
import { threeBoxes } from './support/boxes.ts';
import { CLIENT_HOST, networkScenario, type Scenario } from './support/scenario.ts';

const PROGRAMS = ['mosquitto_sub', 'mosquitto_pub'];
const VERSIONS = ['mqttv31', 'mqttv311', 'mqttv5'] as const;

networkScenario('the boxes of the README find each other', [], async (scene) => {
  const { boxes, nodes } = await threeBoxes(scene);
  for (const [index, node] of nodes.entries()) {
    const { address } = boxes[index] ?? { address: '' };
    await node.process.waitFor(new RegExp(`cluster on udp ${address}:7946`));
    await node.process.waitFor(/cluster sync on udp port 7947/);
    await node.process.waitFor(/Shoal v\d+\.\d+\.\d+ tcp \[::\]:1883/);
  }
});

networkScenario('mosquitto_pub and mosquitto_sub of any version meet', PROGRAMS, async (scene) => {
  const { network, boxes } = await threeBoxes(scene);
  const places = boxes.flatMap(({ address }) => VERSIONS.map((version) => ({ address, version })));
  const subscribers = await Promise.all(
    places.map(({ address, version }) =>
      subscribe(scene, network, address, version, ['-q', '2', '-t', 'm/#']),
    ),
  );
  const expected: string[] = [];
  for (const { address, version } of places) {
    for (const qos of [0, 1, 2]) {
      expected.push(`got m/${version} ${qos} 0 from ${address}`);
      const flags = ['-q', `${qos}`, '-t', `m/${version}`, '-m', `from ${address}`];
      await publish(scene, network, address, version, flags);
    }
  }
  for (const subscriber of subscribers) {
    await Promise.all(expected.map((line) => subscriber.waitFor(new RegExp(`^${line}$`))));
    assert.equal(subscriber.output.match(/^got /gm)?.length, expected.length, 'nothing twice');
  }
});

networkScenario('wills and retained messages reach the other boxes', PROGRAMS, async (scene) => {
  const { network, boxes } = await threeBoxes(scene);
  const [one = '', two = '', three = ''] = boxes.map((box) => box.address);
  const will = ['--will-topic', 'gone/sensor', '--will-payload', 'gone', '--will-qos', '1'];
  const sensor = await subscribe(scene, network, one, 'mqttv5', [
    ...['-t', 'none', '--will-retain'],
    ...will,
  ]);
  const watcher = await subscribe(scene, network, two, 'mqttv311', ['-q', '1', '-t', 'gone/#']);
  const near = await subscribe(scene, network, three, 'mqttv5', ['-q', '1', '-t', 'gone/#']);
  await sensor.kill();
  for (const each of [watcher, near]) await each.waitFor(/^got gone\/sensor 1 0 gone$/);
  const late = await subscribe(scene, network, three, 'mqttv5', ['-q', '1', '-t', 'gone/#']);
  await late.waitFor(/^got gone\/sensor 1 1 gone$/);

  await publish(scene, network, three, 'mqttv5', ['-q', '1', '-t', 'gone/sensor', '-n', '-r']);
  await watcher.waitFor(/^got gone\/sensor 1 0 $/);
  const empty = await subscribe(scene, network, two, 'mqttv5', ['-t', 'gone/#', '-t', 'mark']);
  await publish(scene, network, three, 'mqttv5', ['-t', 'mark', '-m', 'x']);
  await empty.waitFor(/^got mark/);
  assert.doesNotMatch(empty.output, /^got gone/m);
});

networkScenario(
  'MQTT 5 properties of mosquitto_pub cross in their order',
  PROGRAMS,
  async (scene) => {
    const { network, boxes } = await threeBoxes(scene);
    const [one = '', , three = ''] = boxes.map((box) => box.address);
    const format = ['-F', 'got %P|%C|%R|%D|%F|%E'];
    const watcher = await subscribe(scene, network, three, 'mqttv5', ['-t', 'p', ...format]);
    const properties = [
      ...['user-property', 'b', '1', 'user-property', 'a', '2', 'user-property', 'b', '3'],
      ...['content-type', 'text/plain', 'response-topic', 'r/t', 'correlation-data', 'id'],
      ...['payload-format-indicator', '1', 'message-expiry-interval', '900'],
    ];
    const flags = propertyFlags(properties);
    await publish(scene, network, one, 'mqttv5', ['-t', 'p', '-m', 'x', ...flags]);
    await watcher.waitFor(/^got b:1 a:2 b:3 ?\|text\/plain\|r\/t\|id\|1\|(900|899)$/);
  },
);

networkScenario('MQTT.js of any version and QoS crosses all boxes', [], async (scene) => {
  const { nodes } = await threeBoxes(scene);
  const versions = [3, 4, 5] as const;
  const clients = await Promise.all(
    nodes.flatMap((node) =>
      versions.map(async (protocolVersion) => {
        const client = await scene.client(node, options(protocolVersion));
        await client.subscribe('m/#', 2);
        return { client, from: `${node.name}/${protocolVersion}` };
      }),
    ),
  );
  const sent: string[] = [];
  for (const { client, from } of clients) {
    for (const qos of [0, 1, 2] as const) {
      sent.push(`m/${from}/${qos}`);
      await client.publish(`m/${from}/${qos}`, `${qos}`, { qos });
    }
  }
  sent.sort();
  for (const { client, from } of clients) {
    await client.until(() => client.arrivals.length >= sent.length, `all messages at ${from}`);
    assert.deepEqual(client.arrivals.map(({ topic }) => topic).sort(), sent);
    for (const { topic, text, packet } of client.arrivals) {
      assert.equal(`${packet.qos}`, text, topic);
      assert.equal(packet.retain, false, topic);
    }
  }
});

function options(protocolVersion: 3 | 4 | 5) {
  return protocolVersion === 3
    ? { protocolVersion, protocolId: 'MQIsdp' as const }
    : { protocolVersion };
}

/** @param words name and value, or name, key and value of a user property */
function propertyFlags(words: readonly string[]): string[] {
  const flags: string[] = [];
  for (let at = 0; at < words.length; ) {
    const count = words[at] === 'user-property' ? 3 : 2;
    flags.push('-D', 'publish', ...words.slice(at, at + count));
    at += count;
  }
  return flags;
}

/** Runs mosquitto_sub until it has subscribed; prints `got TOPIC QOS RETAIN PAYLOAD`. */
async function subscribe(
  scene: Scenario,
  network: Network,
  host: string,
  version: (typeof VERSIONS)[number],
  flags: readonly string[],
) {
  const format = ['-d', '-F', 'got %t %q %r %p'];
  const program = scene.run(
    ['stdbuf', '-oL', 'mosquitto_sub', '-h', host, '-V', version, ...format, ...flags],
    network.via(CLIENT_HOST),
  );
  await program.waitFor(/^Subscribed/);
  return program;
}

async function publish(
  scene: Scenario,
  network: Network,
  host: string,
  version: (typeof VERSIONS)[number],
  flags: readonly string[],
) {
  const program = scene.run(
    ['mosquitto_pub', '-h', host, '-V', version, ...flags],
    network.via(CLIENT_HOST),
  );
  assert.deepEqual(await program.exited, { code: 0, signal: null }, program.output);
}
