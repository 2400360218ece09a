// Firewalls that block one direction of the gossip port: what each box says about it.

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { threeBoxes } from './support/boxes.ts';
import { networkScenario } from './support/scenario.ts';

const OFFLINE_MS_MAX = 15_000;
/** From the verdict that a box is offline to the line that says why. */
const KNOWN_MS_MAX = 5_000;
const HEAL_MS_MAX = 20_000;

describe('a blocked gossip port', { concurrency: 3 }, () => {
  networkScenario('incoming 7946 blocked on one box is known on all', ['nft'], async (scene) => {
    const { network, nodes } = await threeBoxes(scene);
    const [one, two, three] = nodes;
    network.blockPort('box3', 'in', 7946);
    await Promise.all(
      [one, two].map(async (node) => {
        await node.sees('offline', three, { msMax: OFFLINE_MS_MAX });
        const { process } = node;
        const line =
          /level=warn event="box3 does not hear us on udp 7946" .*incoming udp 7946 is blocked there/;
        await process.waitFor(line, KNOWN_MS_MAX);
      }),
    );
    const own =
      /level=warn event="no other node is heard on udp 7946" .*incoming udp 7946 is blocked here/;
    await three.process.waitFor(own, OFFLINE_MS_MAX);
    network.heal('box3');
    const again = /box3 hears us again on udp 7946/;
    await Promise.all([one, two].map(({ process }) => process.waitFor(again, HEAL_MS_MAX)));
    await three.process.waitFor(/other nodes are heard again on udp 7946/, HEAL_MS_MAX);
  });

  networkScenario('outgoing 7946 blocked on one box is known there', ['nft'], async (scene) => {
    const { network, nodes } = await threeBoxes(scene);
    const { process } = nodes[2];
    network.blockPort('box3', 'out', 7946);
    const refused =
      /level=warn event="datagrams cannot be sent" port=7946 to=192\S+ reason="a firewall on this machine/;
    await process.waitFor(refused, OFFLINE_MS_MAX);
    await process.waitFor(/level=warn event="no other node hears us on udp 7946"/, OFFLINE_MS_MAX);
    network.heal('box3');
    await process.waitFor(/other nodes hear us again on udp 7946/, HEAL_MS_MAX);
    await process.waitFor(/event="datagrams are sent again" port=7946/, HEAL_MS_MAX);
    assert.doesNotMatch(process.output, /no other node is heard/, 'box3 hears the others');
  });

  networkScenario(
    'a box that starts behind a firewall is named by the others',
    ['nft'],
    async (scene) => {
      const network = await scene.network({ box1: ['192.168.1.100'], box2: ['192.168.1.101'] });
      network.blockPort('box2', 'in', 7946);
      const one = scene.startOn('box1', 'box1', ['-nid=box1', '-csk=12345678']);
      const flags = ['-nid=box2', '-csk=12345678', '-mbs=192.168.1.100'];
      const two = scene.startOn('box2', 'box2', flags);
      await one.process.waitFor(
        /event="box2 does not hear us on udp 7946" address=192\.168\.1\.101:7946/,
      );
      await two.process.waitFor(
        /event="no other node answers yet.*udp 7946 must be open in both directions/,
      );
      await two.process.waitFor(
        /level=warn event="MQTT opens although no other node has answered"/,
      );
      await two.process.mqttPort();
      network.heal('box2');
      await two.process.waitFor(/another node answers/, HEAL_MS_MAX);
      await one.process.waitFor(/box2 hears us again on udp 7946/, HEAL_MS_MAX);
    },
  );
});
