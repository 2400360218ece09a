// The sync channel over two network namespaces of which one loses datagrams: the kernel's own loss,
// real sockets and clocks. (The simulation has overtaking and repeats as well.)

import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { networkScenario } from './support/scenario.ts';

const PEER = resolve(import.meta.dirname, 'support/sync-peer.ts');
const COUNT = 10_000;

for (const percent of [5, 20]) {
  networkScenario(
    `with ${percent} % loss each message comes once, in order, or is counted as lost`,
    ['nft'],
    async (scene, context) => {
      const network = await scene.network({ one: ['192.168.1.101'], two: ['192.168.1.102'] });
      network.lose('two', percent);
      const run = (role: string, host: string, other: string) =>
        scene.run(
          [
            ...[process.execPath, '--import=tsx', PEER, role],
            ...[network.address(host), network.address(other), String(COUNT)],
          ],
          network.via(host),
        );
      const receiver = run('receive', 'two', 'one');
      run('send', 'one', 'two');
      await receiver.waitFor(/done/);
      const [line = ''] = /done .*/.exec(receiver.output) ?? [];
      context.diagnostic(line);
      const of = (name: string): number => Number(new RegExp(`${name}=(\\d+)`).exec(line)?.[1]);
      assert.equal(of('disordered'), 0);
      assert.ok(of('sent') > COUNT);
      assert.equal(of('received') + of('lost'), of('sent'));
      assert.ok(of('lost') > (COUNT * percent) / 100 / 2 && of('lost') < COUNT / 2);
    },
  );
}
