// Boxes without -mbs, each in a namespace of its own: they find each other by beacons, on every kind of
// network, and a stranger on the same network gets nothing out of them.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { describe } from 'node:test';
import type { WatchedProcess } from '../support/watched-process.ts';
import {
  allSeeEachOther,
  CLIENT_HOST,
  type Node,
  networkScenario,
  type Scenario,
} from './support/scenario.ts';

const STRANGER = resolve(import.meta.dirname, 'support/stranger.ts');
const STRANGER_ADDRESS = '192.168.1.200';
const TOKEN = `-csk=${randomBytes(24).toString('hex')}`;
const IPV4 = { box1: ['192.168.1.101'], box2: ['192.168.1.102'], box3: ['192.168.1.103'] };
const IPV6 = { box1: ['fd00::101'], box2: ['fd00::102'], box3: ['fd00::103'] };

function start(scene: Scenario, name: string, ...flags: string[]): Node {
  return scene.startOn(name, name, [`-nid=${name}`, TOKEN, ...flags]);
}

async function startAll(scene: Scenario, ...flags: string[]): Promise<Node[]> {
  const nodes = Object.keys(IPV4).map((name) => start(scene, name, ...flags));
  await allSeeEachOther(nodes);
  return nodes;
}

/** Someone without the token, who prints what the network delivers. */
async function stranger(
  scene: Scenario,
  via: readonly string[],
  mode = 'listen',
): Promise<WatchedProcess> {
  const program = [process.execPath, '--import=tsx', STRANGER, STRANGER_ADDRESS, mode];
  const started = scene.run(program, via);
  await started.waitFor(/^listening/);
  return started;
}

interface Heard {
  readonly kind: string;
  readonly from: string;
  readonly bytes: Buffer;
}

function heardBy({ output }: WatchedProcess): Heard[] {
  return [...output.matchAll(/^(\w+) ([\d.]+) ([0-9a-f]+)$/gm)].map(
    ([, kind = '', from = '', hex = '']) => ({ kind, from, bytes: Buffer.from(hex, 'hex') }),
  );
}

describe('beacons', { concurrency: 3 }, () => {
  networkScenario('three boxes that share only a token are a cluster', [], async (scene) => {
    await scene.network(IPV4);
    const [one, two, three] = await startAll(scene);
    assert.ok(one !== undefined && two !== undefined && three !== undefined);
    const [publisher, subscriber] = await Promise.all([scene.client(one), scene.client(three)]);
    await subscriber.subscribe('found');
    await publisher.publish('found', 'x', { qos: 1 });
    await subscriber.arrival('found');
  });

  networkScenario('a box that is started later finds the others', [], async (scene) => {
    await scene.network(IPV4);
    const [one, two] = [start(scene, 'box1'), start(scene, 'box2')];
    await allSeeEachOther([one, two]);
    const three = start(scene, 'box3');
    await allSeeEachOther([one, two, three]);
  });

  networkScenario('IPv6 alone is enough', [], async (scene) => {
    await scene.network(IPV6, ['fd00::200']);
    await startAll(scene);
  });

  networkScenario('interfaces without multicast use broadcast', [], async (scene) => {
    const network = await scene.network(IPV4);
    for (const name of Object.keys(IPV4)) network.withoutMulticast(name);
    await startAll(scene);
  });

  networkScenario('a node that is bound to one address is found', [], async (scene) => {
    await scene.network(IPV4);
    const nodes = Object.entries(IPV4).map(([name, [address]]) =>
      start(scene, name, `-bind=${address}`),
    );
    await allSeeEachOther(nodes);
  });

  networkScenario(
    'a node with ports of its own finds those with the usual ones',
    [],
    async (scene) => {
      await scene.network(IPV4);
      const nodes = [start(scene, 'box1'), start(scene, 'box2', '-crp=8946', '-csp=8947')];
      await allSeeEachOther(nodes);
    },
  );

  networkScenario('an interface that comes later is used', [], async (scene) => {
    const network = await scene.network(IPV4);
    network.setLink('box2', 'down');
    const nodes = [start(scene, 'box1'), start(scene, 'box2')];
    await Promise.all(nodes.map(({ process }) => process.waitFor(/Shoal v/)));
    network.setLink('box2', 'up');
    await allSeeEachOther(nodes);
  });

  networkScenario(
    'the second box with a name is refused and names the first',
    [],
    async (scene) => {
      await scene.network(IPV4);
      const one = start(scene, 'box1');
      await one.process.waitFor(/Shoal v/);
      const clone = scene.startOn('box2', 'box2', ['-nid=box1', TOKEN]);
      await clone.process.waitFor(
        /the node name box1 is in use by the node at 192\.168\.1\.101:7946/,
      );
      assert.notEqual((await clone.process.exited).code, 0);
      await one.process.waitFor(/another node with our name was refused/);
    },
  );

  networkScenario('boxes with another token are reported on both sides', [], async (scene) => {
    await scene.network(IPV4);
    const one = start(scene, 'box1');
    const other = scene.startOn('box2', 'box2', ['-nid=box2', '-csk=another-token-of-some-length']);
    const name = start(scene, 'box3', '-cluster=other');
    const line = (address: string) =>
      new RegExp(`uses another token or cluster name.*address=${address.replaceAll('.', '\\.')}`);
    await Promise.all([
      one.process.waitFor(line('192.168.1.102')),
      one.process.waitFor(line('192.168.1.103')),
      other.process.waitFor(line('192.168.1.101')),
      name.process.waitFor(line('192.168.1.101')),
    ]);
    assert.doesNotMatch(scene.logs, /cluster online/);
  });

  networkScenario(
    'a stranger who listens learns an address and nothing else',
    [],
    async (scene) => {
      const network = await scene.network(IPV4);
      const listener = await stranger(scene, network.via(CLIENT_HOST));
      const nodes = await startAll(scene, '-cluster=secretname');
      // One call more than those of the start: that of a cluster that is complete.
      await listener.waitFor(/^multicast/, 20_000, listener.lineCount);
      const heard = heardBy(listener);
      assert.deepEqual([...new Set(heard.map(({ bytes }) => bytes.length))], [80]);
      assert.equal(heard.filter(({ kind }) => kind === 'unicast').length, 0);
      const all = Buffer.concat(heard.map(({ bytes }) => bytes)).toString('latin1');
      for (const word of ['secretname', ...nodes.map(({ name }) => name)]) {
        assert.ok(!all.includes(word), `${word} is in the datagrams`);
      }
      const sealed = heard
        .filter(({ kind }) => kind === 'multicast')
        .map(({ bytes }) => bytes.subarray(4).toString('hex'));
      assert.equal(new Set(sealed).size, sealed.length, 'no two calls are alike');
    },
  );

  networkScenario('a stranger who repeats what it heard gets no answer', [], async (scene) => {
    const network = await scene.network(IPV4);
    const attacker = await stranger(scene, network.via(CLIENT_HOST), 'replay');
    await startAll(scene);
    await attacker.waitFor(/^multicast/, 20_000, attacker.lineCount + 4);
    const answers = heardBy(attacker).filter(({ kind }) => kind === 'unicast');
    assert.deepEqual(answers, []);
    assert.doesNotMatch(scene.logs, /cluster (suspect|offline)/);
  });

  networkScenario(
    'boxes find each other while a stranger floods the network',
    [],
    async (scene) => {
      const network = await scene.network(IPV4);
      const attacker = await stranger(scene, network.via(CLIENT_HOST), 'flood');
      const nodes = await startAll(scene);
      assert.equal(heardBy(attacker).filter(({ kind }) => kind === 'unicast').length, 0);
      const lines = scene.logs.match(/another token or cluster name/g) ?? [];
      assert.equal(lines.length, nodes.length, 'one line on each box');
    },
  );
});
