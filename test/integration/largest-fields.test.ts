// Each field of a client's packets at the most that the protocol has room for, against built nodes on which everything
// that passes clients' bytes on is on: cluster, large messages, roaming, storage, groups of all nodes, a bridge.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import * as wire from '../support/wire.ts';
import { type Node, scenario } from './support/scenario.ts';

const STRING_MAX = 65_535;
const LONG = 'x'.repeat(STRING_MAX);
/** User properties that are longer together than a string may be. */
const MANY = Array.from({ length: 70 }, (_, index): [string, string] => [
  `k${index}`,
  'v'.repeat(1000),
]);
const RESPONSE = { responseTopic: LONG, correlationData: LONG, contentType: LONG };
const KEPT = { sessionExpiryInterval: 60 };

/** By what they are: the first packet of a connection is a CONNECT. */
const PACKETS: Readonly<Record<string, readonly Buffer[]>> = {
  'a Client Identifier': [wire.connect({ clientId: LONG, clean: false, properties: KEPT })],
  'a user name and a password': [wire.connect({ username: LONG, password: LONG })],
  'a topic of a will': [wire.connect({ will: { topic: LONG, payload: 'x' } })],
  'a payload of a will': [wire.connect({ will: { topic: 'w', payload: LONG } })],
  'user properties of a will': [
    wire.connect({ will: { topic: 'w', payload: 'x', properties: { userProperty: MANY } } }),
  ],
  'user properties of a CONNECT': [wire.connect({ properties: { userProperty: MANY } })],
  'the name of a bridge': [
    wire.connect({ properties: { userProperty: [['shoal-bridge', LONG]] } }),
  ],
  'a topic': [wire.connect({}), wire.publish(5, { topic: LONG, qos: 1, retain: true })],
  'response topic, correlation data and content type': [
    wire.connect({}),
    wire.publish(5, { topic: 'r', qos: 1, retain: true, properties: RESPONSE }),
  ],
  'user properties of a message': [
    wire.connect({}),
    wire.publish(5, { topic: 'u', qos: 1, retain: true, properties: { userProperty: MANY } }),
  ],
  'a user property': [
    wire.connect({}),
    wire.publish(5, { topic: 'u', qos: 1, properties: { userProperty: [[LONG, LONG]] } }),
  ],
  'the hops of a message': [
    wire.connect({}),
    wire.publish(5, { topic: 'h', qos: 1, properties: { userProperty: [['shoal-hops', LONG]] } }),
    wire.publish(5, {
      ...{ topic: 'h', qos: 1, id: 2 },
      properties: { userProperty: [['shoal-hops', 'h'.repeat(STRING_MAX - 3)]] },
    }),
  ],
  'a topic filter': [wire.connect({}), wire.subscribe(5, 1, [LONG])],
  'the name of a group': [
    wire.connect({}),
    wire.subscribe(5, 1, [`$share/${'g'.repeat(STRING_MAX - 10)}/#`]),
  ],
  'user properties of a SUBSCRIBE': [
    wire.connect({}),
    wire.subscribe(5, 1, ['#'], { userProperty: MANY }),
  ],
  // It moves to the other node, with messages that it has not acknowledged.
  'a session': [
    wire.connect({
      // A CONNECT has 128 KiB at most.
      ...{ clientId: 'mover', clean: false, username: 'u'.repeat(40_000), properties: KEPT },
      will: { topic: 'w', payload: 'x', retain: true, properties: { userProperty: MANY } },
    }),
    wire.subscribe(5, 1, [LONG, '#', `$share/${'g'.repeat(30_000)}/${'f'.repeat(30_000)}`]),
    wire.publish(5, { topic: LONG, payload: LONG, qos: 1, properties: { userProperty: MANY } }),
    wire.publish(5, { topic: 'u', payload: LONG, qos: 2, id: 2, properties: RESPONSE }),
  ],
  'a reason of a DISCONNECT': [wire.connect({}), wire.disconnect(4, { reasonString: LONG })],
};

/** Until the node closes, or has answered a PINGREQ. */
async function send(node: Node, packets: readonly Buffer[]): Promise<void> {
  const stream = node.dial();
  stream.on('error', () => undefined);
  const closed = once(stream, 'close');
  let rest: Buffer = Buffer.alloc(0);
  const answered = new Promise<void>((resolve) => {
    stream.on('data', (chunk: Buffer) => {
      const read = wire.decode(5, Buffer.concat([rest, chunk]));
      rest = read.rest;
      if (read.packets.some(({ type }) => type === 'pingresp')) resolve();
    });
  });
  stream.write(Buffer.concat([...packets, wire.PINGREQ]));
  await Promise.race([closed, answered]);
  // Without a DISCONNECT, so that wills are published.
  stream.destroy();
}

scenario('no field of a packet is too long for nodes with all that passes it on', async (scene) => {
  const far = await scene.startLocal('far');
  const port = await far.process.mqttPort();
  const topics = "# out 1 '' from/near/";
  const bridge = `[[bridge]]\nname = "far"\naddress = "mqtt://127.0.0.1:${port}"\ntopics = ["${topics}"]\nrun-on = "each"`;
  const flags = ['-large=200000', '-roaming=true', '-shared=cluster', '-max-packet-size=1048576'];
  const file = scene.file('near.toml', `${bridge}\n`);
  const data = `-data=${join(scene.folder, 'near')}`;
  const near = await scene.startLocal('near', `-config=${file}`, data, ...flags);
  const seed = `-mbs=${await near.process.gossipAddress()}`;
  const peer = await scene.startLocal('peer', seed, ...flags);
  await Promise.all([peer.sees('online', near), near.sees('online', peer)]);
  await near.process.waitFor(/bridge connected/);
  const witness = await scene.client(far);
  await witness.subscribe('from/near/last');
  for (const [what, packets] of Object.entries(PACKETS)) {
    for (const node of [near, peer]) {
      await send(node, packets);
      assert.ok(near.process.running && peer.process.running, `${node.name}: ${what}`);
    }
  }
  const last = await scene.client(near);
  await last.publish('last', 'arrived', { qos: 1 });
  const topic = 'from/near/last';
  await witness.until(() => witness.texts(topic).length > 0, 'a message that crosses the bridge');
  assert.deepEqual(witness.texts(topic), ['arrived']);
});
