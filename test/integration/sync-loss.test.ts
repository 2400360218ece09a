// The sync channel over two network namespaces with a bad link between them: the kernel's own loss
// and its own full buffers, real sockets and clocks. (The simulation has overtaking and repeats.)

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { describe, type TestContext } from 'node:test';
import type { QueuePolicy } from '../../src/sync/packer.ts';
import type { Network } from './support/network.ts';
import { networkScenario, type Scenario } from './support/scenario.ts';

const PEER = resolve(import.meta.dirname, 'support/sync-peer.ts');

interface Traffic {
  readonly count: number;
  readonly perTurn: number;
  readonly policy: QueuePolicy;
}

interface Outcome {
  readonly sent: number;
  readonly received: number;
  readonly lost: number;
  /** By the sender's queue. */
  readonly discarded: number;
}

/** Sends from one box to the other until the end has come; checks that nothing is out of order. */
async function cross(
  scene: Scenario,
  context: TestContext,
  spoil: (network: Network) => void,
  { count, perTurn, policy }: Traffic,
): Promise<Outcome> {
  const network = await scene.network({ one: ['192.168.1.101'], two: ['192.168.1.102'] });
  spoil(network);
  const run = (role: string, host: string, other: string) =>
    scene.run(
      [
        ...[process.execPath, '--import=tsx', PEER, role],
        ...[network.address(host), network.address(other)],
        ...[count, perTurn, policy].map(String),
      ],
      network.via(host),
    );
  const receiver = run('receive', 'two', 'one');
  const sender = run('send', 'one', 'two');
  await receiver.waitFor(/done/);
  const [line = ''] = /done .*/.exec(receiver.output) ?? [];
  context.diagnostic(line);
  const find = (text: string, name: string): number =>
    Number(new RegExp(`${name}=(\\d+)`).exec(text)?.[1]);
  assert.equal(find(line, 'disordered'), 0);
  const outcome = {
    sent: find(line, 'sent'),
    received: find(line, 'received'),
    lost: find(line, 'lost'),
    discarded: find(sender.output, 'discarded'),
  };
  assert.ok(outcome.sent > count);
  assert.equal(outcome.received + outcome.lost, outcome.sent);
  return outcome;
}

describe('the sync channel on a bad link', { concurrency: 3 }, () => {
  for (const percent of [5, 20]) {
    networkScenario(
      `with ${percent} % loss each message comes once, in order, or is counted as lost`,
      ['nft'],
      async (scene, context) => {
        const traffic = { count: 10_000, perTurn: 50, policy: 'discard-newest' } as const;
        const spoil = (network: Network): void => network.lose('two', percent);
        const { lost } = await cross(scene, context, spoil, traffic);
        assert.ok(lost > (traffic.count * percent) / 100 / 2 && lost < traffic.count / 2);
      },
    );
  }

  for (const policy of ['discard-newest', 'discard-oldest'] as const) {
    networkScenario(
      `on a link that is too slow ${policy} discards messages, and the receiver counts the same number as lost`,
      ['tc'],
      async (scene, context) => {
        const slow = 'qdisc add dev eth0 root tbf rate 50mbit burst 10kb limit 10mb';
        const spoil = (network: Network): void => {
          const [command = '', ...rest] = network.via('one');
          execFileSync(command, [...rest, 'tc', ...slow.split(' ')]);
        };
        const traffic = { count: 20_000, perTurn: 5000, policy };
        const { lost, discarded } = await cross(scene, context, spoil, traffic);
        assert.ok(discarded > 0);
        assert.equal(lost, discarded);
      },
    );
  }

  networkScenario(
    'a link on which -datagram does not pass is told, by the name of the peer, and used when it does',
    ['nft'],
    async (scene) => {
      const network = await scene.network({ one: ['192.168.1.101'], two: ['192.168.1.102'] });
      // The link takes 1500 bytes, and a firewall drops what comes in fragments.
      const [command = '', ...rest] = network.via('two');
      const nft = (rules: string): void => {
        execFileSync(command, [...rest, 'nft', '-f', '-'], { input: rules });
      };
      nft(`table ip small {
      chain in { type filter hook prerouting priority -450; ip frag-off & 0x1fff != 0 drop; }
    }\n`);
      const flags = (name: string): string[] => [
        ...[`-nid=${name}`, '-csk=secret', '-datagram=8952'],
        ...['-mbs=192.168.1.101,192.168.1.102', '-log-level=debug'],
      ];
      const one = scene.startOn('one', 'n1', flags('n1'));
      const two = scene.startOn('two', 'n2', flags('n2'));
      await Promise.all([one.sees('online', two), two.sees('online', one)]);
      await one.process.waitFor(/does not answer on its sync port.*n2.*8952 bytes/);
      nft('delete table ip small\n');
      const [publisher, reader] = [await scene.client(one), await scene.client(two)];
      await reader.subscribe('large/#');
      const again = setInterval(() => void publisher.publish('large/a', 'x'), 100);
      await reader.arrival('large/a').finally(() => clearInterval(again));
    },
  );
});
