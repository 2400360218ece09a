// Boxes in namespaces, and clients that know nothing of them but mDNS: Debian's avahi-daemon, on a host of its own
// and on the box itself.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe } from 'node:test';
import { AVAHI_PROGRAMS, Avahi, until } from './support/avahi.ts';
import {
  allSeeEachOther,
  CLIENT_HOST,
  type Node,
  networkScenario,
  type Scenario,
} from './support/scenario.ts';

const ADDRESSES = { box1: '192.168.1.101', box2: '192.168.1.102' };
const BOXES = { box1: [ADDRESSES.box1], box2: [ADDRESSES.box2] };
const TOKEN = `-csk=${randomBytes(24).toString('hex')}`;
const MQTT = '_mqtt._tcp';

function start(scene: Scenario, name: string, ...flags: string[]): Node {
  return scene.startOn(name, name, [`-nid=${name}`, TOKEN, '-anonymous=true', ...flags]);
}

async function startBoth(scene: Scenario, ...flags: string[]): Promise<Node[]> {
  const nodes = Object.keys(BOXES).map((name) => start(scene, name, ...flags));
  await allSeeEachOther(nodes);
  return nodes;
}

describe('mDNS', { concurrency: 2 }, () => {
  networkScenario(
    'a client finds both boxes, and shoal.local leads to the other one when one is killed',
    AVAHI_PROGRAMS,
    async (scene, context) => {
      const network = await scene.network(BOXES);
      const nodes = await startBoth(scene);
      const avahi = await Avahi.start(scene, network, CLIENT_HOST);
      const found = await avahi.lists(MQTT, 'box1', 'box2');
      for (const [name, address] of Object.entries(ADDRESSES)) {
        assert.ok(
          found.some(
            (one) =>
              one.name === name &&
              one.host === `${name}-shoal.local` &&
              one.address === address &&
              one.port === 1883 &&
              one.text === '',
          ),
          JSON.stringify(found),
        );
      }
      const all: string[] = Object.values(ADDRESSES);
      const first = await avahi.resolvesTo('shoal.local', (address) => all.includes(address));
      const holder = first === ADDRESSES.box1 ? 'box1' : 'box2';
      const other = holder === 'box1' ? 'box2' : 'box1';
      const killedAt = Date.now();
      await nodes.find(({ name }) => name === holder)?.process.kill();
      await avahi.resolvesTo('shoal.local', (address) => address === ADDRESSES[other]);
      const movedMs = Date.now() - killedAt;
      await avahi.lists(MQTT, other);
      // For the reader of the log; a slow machine needs longer.
      context.diagnostic(
        `shoal.local moved in ${movedMs} ms, the list is right after ${Date.now() - killedAt} ms`,
      );
    },
  );

  networkScenario(
    'a box that stops is gone from the list, and one whose address changes is found there',
    AVAHI_PROGRAMS,
    async (scene) => {
      const network = await scene.network(BOXES);
      const [one] = await startBoth(scene);
      const avahi = await Avahi.start(scene, network, CLIENT_HOST);
      await avahi.lists(MQTT, 'box1', 'box2');
      one?.process.signal('SIGTERM');
      await one?.process.exited;
      await avahi.lists(MQTT, 'box2');
      await avahi.resolvesTo('shoal.local', (address) => address === ADDRESSES.box2);
      network.moveTo('box2', '192.168.1.150');
      await avahi.resolvesTo('shoal.local', (address) => address === '192.168.1.150');
      await avahi.resolvesTo('box2-shoal.local', (address) => address === '192.168.1.150');
      network.setLink('box2', 'down');
      network.setLink('box2', 'up');
      await avahi.lists(MQTT, 'box2');
    },
  );

  networkScenario(
    'a box with an avahi-daemon of its own keeps its name, and both are found',
    AVAHI_PROGRAMS,
    async (scene) => {
      const network = await scene.network(BOXES);
      const own = await Avahi.start(scene, network, 'box1');
      const node = start(scene, 'box1', '-port=1883', '-ws=8083');
      await node.process.waitFor(/this node answers for the mDNS name/);
      const avahi = await Avahi.start(scene, network, CLIENT_HOST);
      for (const one of [avahi, own]) {
        for (const name of ['box1.local', 'box1-shoal.local', 'shoal.local']) {
          await one.resolvesTo(name, (address) => address === ADDRESSES.box1);
        }
        await one.lists(MQTT, 'box1');
        const [socket] = await one.lists('_mqtt-ws._tcp', 'box1');
        assert.deepEqual([socket?.port, socket?.text], [8083, '"path=/mqtt"']);
      }
      assert.doesNotMatch(own.daemon.output, /conflict/i);
      assert.doesNotMatch(node.process.output, /another host has this mDNS name/);
    },
  );

  networkScenario(
    'with -address, shoal.local leads to the address of the clients',
    AVAHI_PROGRAMS,
    async (scene) => {
      const network = await scene.network(BOXES);
      const nodes = await startBoth(scene, '-address=192.168.1.10/24', '-mdns=mqtt');
      const avahi = await Avahi.start(scene, network, CLIENT_HOST);
      await avahi.resolvesTo('mqtt.local', (address) => address === '192.168.1.10');
      const holder = Object.keys(BOXES).find((name) => network.holds(name, '192.168.1.10'));
      await nodes.find(({ name }) => name === holder)?.process.kill();
      const other = holder === 'box1' ? 'box2' : 'box1';
      await until(async () => network.holds(other, '192.168.1.10') || undefined, 'no holder');
      await avahi.resolvesTo('mqtt.local', (address) => address === '192.168.1.10');
      await avahi.lists(MQTT, other);
    },
  );

  networkScenario('over IPv6 alone a box is found as well', AVAHI_PROGRAMS, async (scene) => {
    const network = await scene.network({ box1: ['fd00::101'] }, ['fd00::200']);
    start(scene, 'box1');
    const avahi = await Avahi.start(scene, network, CLIENT_HOST);
    const [found] = await avahi.lists(MQTT, 'box1');
    assert.equal(found?.address, 'fd00::101');
    assert.equal(await avahi.resolve('shoal.local', 6), 'fd00::101');
  });

  networkScenario(
    'off, and bound to loopback, a node says nothing',
    AVAHI_PROGRAMS,
    async (scene) => {
      const network = await scene.network(BOXES);
      await start(scene, 'box1', '-mdns=off').process.waitFor(/Shoal v/);
      await start(scene, 'box2', '-bind=127.0.0.1').process.waitFor(/Shoal v/);
      const avahi = await Avahi.start(scene, network, CLIENT_HOST);
      // avahi-browse -t waits for as long as it takes to hear of everything.
      assert.deepEqual(await avahi.browse(MQTT), []);
    },
  );
});
