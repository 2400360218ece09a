// Ways to name and reach a box: IPv6, host names, a list that contains the node itself, an address that
// changes.

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

  networkScenario('a box with two addresses is one member', [], async (scene) => {
    const one = ['192.168.1.100', '192.168.1.110', 'fd00::100'];
    await scene.network({ box1: one, box2: ['192.168.1.101', 'fd00::101'] });
    const flags = ['-csk=12345678', '-sys-interval=1'];
    const first = scene.startOn('box1', 'box1', ['-nid=box1', ...flags]);
    const seeds = '-mbs=192.168.1.110,[fd00::100],192.168.1.100:7946';
    const second = scene.startOn('box2', 'box2', ['-nid=box2', seeds, ...flags]);
    await allSeeEachOther([first, second]);
    const client = await scene.client(second);
    await client.subscribe(['$SYS/broker/uptime', '$SYS/broker/cluster/members/alive']);
    // The node contacts its seeds again and again, at each of their addresses.
    const isLater = ({ text }: { text: string }) => Number.parseInt(text, 10) >= 7;
    await client.arrival('$SYS/broker/uptime', isLater, 12_000);
    // A retained value may be older than the second message.
    const alive = client.texts('$SYS/broker/cluster/members/alive');
    assert.deepEqual(new Set(alive.slice(alive.indexOf('2'))), new Set(['2']));
    const publisher = await scene.client(first);
    await client.subscribe('two');
    await publisher.publish('two', 'x', { qos: 1 });
    await client.arrival('two');
    assert.doesNotMatch(scene.logs, /cluster (suspect|offline)/);
  });

  networkScenario('boxes without IPv6 are a cluster', ['sysctl'], async (scene) => {
    const network = await scene.network({ box1: ['192.168.1.100'], box2: ['192.168.1.101'] });
    const nodes = [];
    for (const [name, flags] of [
      ['box1', []],
      ['box2', ['-mbs=192.168.1.100:7946']],
    ] as const) {
      const off = ['sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1'];
      await scene.run(off, network.via(name)).exited;
      nodes.push(scene.startOn(name, name, [`-nid=${name}`, '-csk=12345678', ...flags]));
    }
    await allSeeEachOther(nodes);
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
