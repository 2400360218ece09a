// The cluster token is replaced on nodes that run, while messages cross between them.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe } from 'node:test';
import type { NodeTokens, RotationView } from '../../src/http/cluster-token-view.ts';
import { missingPrivilege } from '../support/network.ts';
import { runCommand } from '../support/run-command.ts';
import { allSeeEachOther, type Node, type Scenario, scenario } from './support/scenario.ts';

const OLD = '4f8d1b6c92e07a35d8b1c604fe937a20';
const ROTATION = '/api/v1/token-rotation';

/** Three nodes, each with a file of its own for the token. */
async function threeNodes(scene: Scenario) {
  const paths = ['n1', 'n2', 'n3'].map((name) => scene.file(`${name}.token`, `${OLD}\n`));
  const first = await scene.startLocal('n1', `-csk-file=${paths[0]}`);
  const seed = `-mbs=${await first.process.gossipAddress()}`;
  const others = await Promise.all([
    scene.startLocal('n2', `-csk-file=${paths[1]}`, seed),
    scene.startLocal('n3', `-csk-file=${paths[2]}`, seed),
  ]);
  const nodes = [first, ...others];
  await allSeeEachOther(nodes);
  const tokens = () => paths.map((path) => readFileSync(path, 'utf8').trim());
  return { nodes, tokens };
}

async function rotated(scene: Scenario, node: Node): Promise<RotationView> {
  while (true) {
    const view = (await scene.ask(node, 'GET', ROTATION)) as RotationView;
    if (view.state !== 'running') return view;
    await new Promise((done) => setTimeout(done, 50));
  }
}

describe('shoal token rotate', { concurrency: 2 }, () => {
  scenario(
    'no message is lost, no node goes offline, and all sign with the new token',
    async (scene) => {
      const { nodes, tokens } = await threeNodes(scene);
      const [n1, n2, n3] = nodes;
      assert.ok(n1 && n2 && n3);
      const publisher = await scene.client(n1);
      const readers = await Promise.all([scene.client(n2), scene.client(n3)]);
      for (const reader of readers) await reader.subscribe(['t/#']);
      const pass = async (text: string): Promise<void> => {
        await publisher.publish('t/a', text);
        const arrivals = readers.map((one) => one.arrival('t/a', (each) => each.text === text));
        await Promise.all(arrivals);
      };
      // The first ones find their way once n1 has said hello to both.
      await pass('before');

      let isOver = false;
      const rotation = runCommand(['token', 'rotate', `-control=${n2.control}`]).then((done) => {
        isOver = true;
        return done;
      });
      for (let count = 0; !isOver; count++) await pass(`during ${count}`);
      await pass('after');
      const { code, out } = await rotation;
      assert.equal(code, 0);
      assert.match(out, /n1, n2 and n3 accept \w{8} beside \w{8}\n.*sign with.*\n.*have forgotten/);
      const [made, ...rest] = tokens();
      assert.match(made ?? '', /^[0-9a-f]{64}$/);
      assert.deepEqual(rest, [made, made]);
      const { nodes: views } = (await scene.ask(n3, 'GET', '/api/v1/cluster-token')) as {
        nodes: NodeTokens[];
      };
      assert.equal(new Set(views.map(({ signs }) => signs)).size, 1);
      assert.ok(views.every(({ accepts }) => accepts.length === 1));
      for (const { process } of nodes) assert.doesNotMatch(process.output, /cluster offline/);
      // A node that has missed nothing starts with the file as it is now.
      await n3.process.stop();
      assert.doesNotMatch(scene.logs, new RegExp(made ?? 'none'));
    },
  );

  scenario('a node with -csk is named, and nothing changes', async (scene) => {
    const path = scene.file('token', `${OLD}\n`);
    const n1 = await scene.startLocal('n1', `-csk-file=${path}`);
    const seed = `-mbs=${await n1.process.gossipAddress()}`;
    // launch() gives a node without a file the flag -csk=secret, which the last one replaces.
    const n2 = await scene.startLocal('n2', seed, `-csk=${OLD}`);
    await allSeeEachOther([n1, n2]);
    const { code, err } = await runCommand(['token', 'rotate', `-control=${n1.control}`]);
    assert.equal(code, 1);
    assert.match(err, /Nothing has changed: n2 has its token from -csk, .*-csk-file/);
    assert.equal(readFileSync(path, 'utf8'), `${OLD}\n`);
  });

  scenario('what is recorded on the wire does not contain the token', async (scene, t) => {
    const missing = missingPrivilege('tcpdump');
    if (missing !== false) return t.skip(missing);
    const { nodes, tokens } = await threeNodes(scene);
    const [n1] = nodes;
    assert.ok(n1);
    const file = `${scene.folder}/wire.pcap`;
    const dump = scene.run(['tcpdump', '-Z', 'root', '-U', '-i', 'lo', '-w', file, 'udp']);
    await dump.waitFor(/listening on lo/);
    await scene.ask(n1, 'POST', ROTATION, { action: 'start' });
    assert.equal((await rotated(scene, n1)).state, 'done');
    const [made = ''] = tokens();
    const wire = readFileSync(file).toString('latin1');
    assert.ok(wire.includes('/api/v1/cluster-token'), 'the recording has the requests');
    for (const secret of [made, OLD]) {
      assert.ok(!wire.includes(secret));
      assert.ok(!wire.includes(Buffer.from(secret).toString('base64').slice(0, 40)));
    }
  });
});
