// The nodes of docs/deploy/compose.yaml: their flags, on hosts whose names resolve as Docker's do.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { allSeeEachOther, networkScenario } from './support/scenario.ts';

networkScenario(
  'the nodes of compose.yaml form a cluster and share messages',
  [],
  async (scene) => {
    const text = readFileSync('docs/deploy/compose.yaml', 'utf8');
    const services = [...text.matchAll(/^ {2}(box\d):\n[\s\S]*?command: (\[.*\])$/gm)].map(
      ([, name = '', command = '']) => ({ name, flags: JSON.parse(command) as string[] }),
    );
    assert.equal(services.length, 3);
    const addresses = services.map(
      ({ name }, index) => [name, `192.168.1.${100 + index}`] as const,
    );
    const hosts = Object.fromEntries(addresses.map(([name, address]) => [name, [address]]));
    const network = await scene.network(hosts);
    for (const { name } of services) network.writeHostsFile(name, Object.fromEntries(addresses));
    const token = `-csk-file=${scene.file('token', 'a token for the nodes of one compose file')}`;
    const nodes = services.map(({ name, flags }) => scene.startOn(name, name, [...flags, token]));
    await allSeeEachOther(nodes);
    const [one, , three] = nodes;
    assert.ok(one && three);
    const [publisher, subscriber] = await Promise.all([scene.client(one), scene.client(three)]);
    await subscriber.subscribe('home/#', 1);
    await publisher.publish('home/door', 'open', { qos: 1 });
    await subscriber.arrival('home/door', ({ text: payload }) => payload === 'open');
  },
);
