// Boxes whose ports are mapped to others, as containers have them, and the order of a start.

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { allSeeEachOther, networkScenario, restartFlags, scenario } from './support/scenario.ts';

describe('containers', { concurrency: 3 }, () => {
  networkScenario('messages cross between boxes whose ports are mapped', ['nft'], async (scene) => {
    const network = await scene.network({ box1: ['192.168.1.100'], box2: ['192.168.1.101'] });
    const nodes = ['box1', 'box2'].map((name) => {
      network.mapPorts(name, { 17946: 7946, 17947: 7947 });
      const advertise = `-advertise=${network.address(name)}:17946,17947`;
      const seeds = '-mbs=192.168.1.100:17946,192.168.1.101:17946';
      return scene.startOn(name, name, [`-nid=${name}`, '-csk=12345678', seeds, advertise]);
    });
    await allSeeEachOther(nodes);
    const [one, two] = nodes;
    assert.ok(one && two);
    for (const [from, to] of [
      [one, two],
      [two, one],
    ] as const) {
      const [publisher, subscriber] = await Promise.all([scene.client(from), scene.client(to)]);
      await subscriber.subscribe(`from/${from.name}`);
      await publisher.publish(`from/${from.name}`, 'x', { qos: 1 });
      await subscriber.arrival(`from/${from.name}`);
    }
  });
});

describe('the order of a start', { concurrency: 3 }, () => {
  scenario(
    'what a client publishes as soon as MQTT opens reaches the other node',
    async (scene) => {
      const [one, two] = await scene.localCluster(2);
      assert.ok(one && two);
      const subscriber = await scene.client(one);
      await subscriber.subscribe('backlog/#', 1);
      for (let round = 0; round < 3; round++) {
        const flags = [...(await restartFlags(two)), `-mbs=${await one.process.gossipAddress()}`];
        await two.process.kill();
        const again = scene.launch('n2', ...flags);
        await again.process.mqttPort();
        const publisher = await scene.client(again);
        const topic = `backlog/${round}`;
        await Promise.all(
          Array.from({ length: 200 }, (_, n) => publisher.publish(topic, `${n}`, { qos: 1 })),
        );
        await publisher.publish(topic, 'end', { qos: 1 });
        await subscriber.arrival(topic, ({ text }) => text === 'end');
        assert.equal(subscriber.texts(topic).length, 201);
        await again.process.kill();
      }
    },
  );

  scenario(
    'a node that finds no other opens MQTT after three seconds, and says so',
    async (scene) => {
      const alone = scene.launch('n1', '-mbs=127.0.0.1:1');
      await alone.process.waitFor(/waiting for the other nodes before MQTT opens/);
      await sleep(1000);
      assert.doesNotMatch(alone.process.output, /Shoal v\S+ tcp/);
      const startedAt = performance.now();
      await alone.process.mqttPort();
      assert.ok(performance.now() - startedAt < 4000);
      assert.match(alone.process.output, /MQTT opens although no other node has answered/);
    },
  );
});
