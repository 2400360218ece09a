// -sync=multicast with four boxes on a bridge: one send for the boxes that multicast reaches, unicast for a
// box that it does not reach, from the start or from one moment to the next.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe } from 'node:test';
import { groupAddress } from '../../src/net/cluster/multicast-group.ts';
import { deriveKeyRing } from '../../src/shared/key-ring.ts';
import type { Network } from '../support/network.ts';
import {
  allSeeEachOther,
  CLIENT_HOST,
  type Node,
  networkScenario,
  type Scenario,
} from './support/scenario.ts';
import type { TestClient } from './support/test-client.ts';

const BOXES = ['box1', 'box2', 'box3', 'box4'] as const;
const MESSAGES = 200;
const TOKEN = randomBytes(16).toString('hex');
const SYS = '$SYS/broker/cluster';

const addressOf = (index: number) => `192.168.1.${101 + index}`;
const addressOfIpv6 = (index: number) => `fd00::${101 + index}`;

interface Site {
  readonly network: Network;
  readonly nodes: readonly Node[];
  readonly publisher: TestClient;
  readonly subscribers: readonly TestClient[];
  /** Watches the figures of box1. */
  readonly watcher: TestClient;
}

/** @param flags of the box with this index */
async function site(
  scene: Scenario,
  spoil: (network: Network) => void,
  flags: (index: number) => string[] = () => [],
  address: (index: number) => string = addressOf,
): Promise<Site> {
  const hosts = Object.fromEntries(BOXES.map((box, index) => [box, [address(index)]]));
  const network = await scene.network(hosts, [address(99)]);
  spoil(network);
  const seed = address(0).includes(':') ? `[${address(0)}]` : address(0);
  const nodes = BOXES.map((box, index) =>
    scene.startOn(box, box, [
      ...[`-nid=${box}`, `-csk=${TOKEN}`, `-mbs=${seed}`, '-sync=multicast', '-sys-interval=1'],
      ...flags(index),
    ]),
  );
  await allSeeEachOther(nodes);
  const [first] = nodes as [Node];
  const watcher = await scene.client(first);
  await watcher.subscribe([`${SYS}/members/#`, `${SYS}/sync/#`, `${SYS}/peers/#`]);
  const publisher = await scene.client(first);
  const subscribers = await Promise.all(nodes.map((node) => scene.client(node)));
  await Promise.all(subscribers.map((subscriber) => subscriber.subscribe('t/#', 1)));
  return { network, nodes, publisher, subscribers, watcher };
}

/** Waits until messages of box1 reach these boxes in this way. */
async function delivered({ watcher }: Site, way: string, ...boxes: string[]): Promise<void> {
  for (const box of boxes) {
    const topic = `${SYS}/members/${box}/delivery`;
    await watcher.until(() => watcher.texts(topic).at(-1) === way, `${box} by ${way}`);
  }
}

/** Publishes on box1, one message after the other. Every box gets each of them once, in order. */
async function allGetAll({ publisher, subscribers }: Site, topic: string): Promise<void> {
  const sent = Array.from({ length: MESSAGES }, (_, i) => `${i}`);
  for (const text of sent) await publisher.publish(topic, text, { qos: 1 });
  for (const [index, subscriber] of subscribers.entries()) {
    await subscriber.until(() => subscriber.texts(topic).at(-1) === sent.at(-1), BOXES[index]!);
    assert.deepEqual(subscriber.texts(topic), sent, BOXES[index]);
  }
}

async function figure({ watcher }: Site, topic: string, is: (value: number) => boolean) {
  const value = () => Number(watcher.texts(`${SYS}/${topic}`).at(-1) ?? 0);
  await watcher.until(() => is(value()), topic);
}

describe('-sync=multicast', { concurrency: 2 }, () => {
  networkScenario('a box that multicast does not reach gets unicast', ['nft'], async (scene) => {
    const four = await site(scene, (network) => network.withoutMulticast('box4'));
    await delivered(four, 'multicast', 'box2', 'box3');
    await delivered(four, 'unicast', 'box4');
    await allGetAll(four, 't/start');
    await figure(four, 'sync/multicastDatagrams', (count) => count >= MESSAGES);
    const [first, , third] = four.nodes as [Node, Node, Node];
    await first.process.waitFor(/multicast does not reach a peer, which gets .* peer=box4/);

    four.network.withoutMulticast('box3');
    const isUnicast = () => four.watcher.texts(`${SYS}/members/box3/delivery`).at(-1) === 'unicast';
    while (!isUnicast()) await four.publisher.publish('t/cut', 'x', { qos: 1 });
    await allGetAll(four, 't/unicast');
    await first.process.waitFor(/multicast does not reach a peer, which gets .* peer=box3/);
    await figure(four, 'peers/multicastFallbacks', (count) => count >= 1);

    four.network.heal('box3');
    await first.process.waitFor(/multicast reaches a peer again.* peer=box3/);
    await delivered(four, 'multicast', 'box3');
    await allGetAll(four, 't/again');
    assert.doesNotMatch(third.process.output, /not received by multicast/);
  });

  networkScenario('a box with -bind sends multicast and gets unicast', [], async (scene) => {
    const four = await site(
      scene,
      () => undefined,
      (index) => (index < 2 ? [`-bind=${addressOf(index)}`] : []),
    );
    await delivered(four, 'multicast', 'box3', 'box4');
    await delivered(four, 'unicast', 'box2');
    await allGetAll(four, 't/bind');
    await figure(four, 'sync/multicastDatagrams', (count) => count >= MESSAGES);
  });

  networkScenario('what strangers send to the group is dropped, by IPv6 too', [], async (scene) => {
    const four = await site(
      scene,
      () => undefined,
      () => [],
      addressOfIpv6,
    );
    await delivered(four, 'multicast', 'box2', 'box3', 'box4');
    const { signing } = (await deriveKeyRing([TOKEN], 'shoal')).sync;
    const group = groupAddress(signing.id, true);
    const send = `const s = require('node:dgram').createSocket('udp6');
      s.bind(0, () => {
        s.setMulticastInterface('::%eth0');
        s.send(Buffer.alloc(100, 0x53), 7947, '${group}', () => s.close());
      });`;
    scene.run([process.execPath, '-e', send], four.network.via(CLIENT_HOST));
    await figure(four, 'sync/droppedDatagrams/foreign', (count) => count === 1);
    await allGetAll(four, 't/ipv6');
    await figure(four, 'sync/multicastDatagrams', (count) => count >= MESSAGES);
  });
});
