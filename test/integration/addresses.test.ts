// The ways in which a box can be named and reached: IPv6, host names, a list that holds oneself, an
// address that changes.

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { threeBoxes } from './support/boxes.ts';
import { allSeeEachOther, networkScenario } from './support/scenario.ts';

describe('addresses', { concurrency: 3 }, () => {
  networkScenario('boxes with IPv6 only, all with one list, are a cluster', [], async (scene) => {
    const addresses = { box1: ['fd00::101'], box2: ['fd00::102'], box3: ['fd00::103'] };
    await scene.network(addresses, ['fd00::200']);
    const list = Object.values(addresses).map(([address]) => `[${address}]:7946`);
    const nodes = Object.keys(addresses).map((name) =>
      scene.startOn(name, name, [`-nid=${name}`, '-csk=12345678', `-mbs=${list.join(',')}`]),
    );
    await allSeeEachOther(nodes);
    const [one, two, three] = nodes;
    assert.ok(one !== undefined && two !== undefined && three !== undefined);
    await two.process.waitFor(/cluster on udp \[fd00::102\]:7946/);
    await one.process.waitFor(/cluster online box3 \[fd00::103\]:7946/);
    const [publisher, subscriber] = await Promise.all([scene.client(one), scene.client(three)]);
    await subscriber.subscribe('v6');
    await publisher.publish('v6', 'x', { qos: 1 });
    await subscriber.arrival('v6');
  });

  networkScenario('a host name in -mbs may begin to resolve later', [], async (scene) => {
    const network = await scene.network({ box1: ['192.168.1.100'], box2: ['192.168.1.101'] });
    network.writeHostsFile('box2', {});
    const one = scene.startOn('box1', 'box1', ['-nid=box1', '-csk=12345678']);
    const flags = ['-nid=box2', '-csk=12345678', '-mbs=box1.lan,nowhere.lan:7946'];
    const two = scene.startOn('box2', 'box2', flags);
    await two.process.waitFor(/cluster seed not resolved.*host=box1\.lan/);
    network.writeHostsFile('box2', { 'box1.lan': '192.168.1.100' });
    await allSeeEachOther([one, two]);
  });

  networkScenario('a box that gets another address stays in the cluster', [], async (scene) => {
    const { network, nodes } = await threeBoxes(scene);
    const [one, two, three] = nodes;
    const marks = [one, two].map((node) => node.process.lineCount);
    network.moveTo('box3', '192.168.1.150');
    await Promise.all(
      [one, two].map(({ process }, index) =>
        process.waitFor(
          /cluster (online|updated) box3 192\.168\.1\.150:7946/,
          20_000,
          marks[index],
        ),
      ),
    );
    const [publisher, subscriber] = await Promise.all([scene.client(one), scene.client(three)]);
    await subscriber.subscribe('moved');
    await publisher.publish('moved', 'x', { qos: 1 });
    await subscriber.arrival('moved');
  });
});
