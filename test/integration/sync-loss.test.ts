// The sync channel over two network namespaces with a bad link between them: the kernel's own loss, full
// buffers and firewalls, real sockets and clocks. (The simulation adds overtaking and repeats.)

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { describe, type TestContext } from 'node:test';
import type { QueuePolicy } from '../../src/sync/packer.ts';
import type { Network } from '../support/network.ts';
import { type Node, networkScenario, type Scenario } from './support/scenario.ts';

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
    'a link that does not take datagrams of -datagram bytes is logged, and messages cross in smaller ones',
    ['nft'],
    async (scene) => {
      const network = await scene.network({ one: ['192.168.1.101'], two: ['192.168.1.102'] });
      network.dropLarger('two', 1300);
      const [one, two] = await startPair(scene);
      await one.process.waitFor(/datagrams of 1400 bytes do not reach a peer" peer=n2.*bytes=1200/);
      const [publisher, reader] = [await scene.client(one), await scene.client(two)];
      await reader.subscribe('large/#');
      await publisher.publish('large/a', 'x'.repeat(3000), { qos: 1 });
      await reader.arrival('large/a');
    },
  );

  networkScenario(
    'a path that becomes smaller while messages cross is logged, and later messages cross again',
    ['nft'],
    async (scene) => {
      const network = await scene.network({ one: ['192.168.1.101'], two: ['192.168.1.102'] });
      const [one, two] = await startPair(scene);
      const [publisher, reader] = [await scene.client(one), await scene.client(two)];
      await reader.subscribe('large/#');
      await publisher.publish('large/before', 'x'.repeat(3000), { qos: 1 });
      await reader.arrival('large/before');
      network.dropLarger('two', 1000);
      const again = setInterval(() => void publisher.publish('large/after', 'x'.repeat(3000)), 100);
      try {
        const smaller = /datagrams of 1200 bytes do not reach a peer" peer=n2.*bytes=576/;
        await one.process.waitFor(smaller, 60_000);
        await reader.arrival('large/after');
      } finally {
        clearInterval(again);
      }
    },
  );

  for (const direction of ['in', 'out'] as const) {
    networkScenario(
      `UDP 7947 blocked by a firewall (${direction}) while idle is logged by both nodes within 5 s, and when it is open again`,
      ['nft'],
      async (scene) => {
        const network = await scene.network({ one: ['192.168.1.101'], two: ['192.168.1.102'] });
        const [one, two] = await startPair(scene);
        await crossing(scene, one, two);
        network.blockPort('two', direction, 7947);
        const [deaf, unheard] = direction === 'in' ? [two, one] : [one, two];
        const blockedAt = Date.now();
        await Promise.all([
          deaf.process.waitFor(
            new RegExp(
              `nothing arrives from a peer on the sync port" peer=${unheard.name} .*direction=in .*UDP 7947`,
            ),
          ),
          unheard.process.waitFor(
            new RegExp(
              `nothing that this node sends arrives at a peer.*" peer=${deaf.name} .*direction=out .*UDP 7947`,
            ),
          ),
        ]);
        const tookMs = Date.now() - blockedAt;
        assert.ok(tookMs < 6000, `${tookMs} ms`);
        network.heal('two');
        await Promise.all([
          deaf.process.waitFor(/datagrams from a peer arrive again on the sync port/),
          unheard.process.waitFor(/datagrams of this node arrive again at a peer on the sync port/),
        ]);
        await crossing(scene, one, two);
      },
    );
  }
});

/** Nodes n1 and n2 on their hosts, each online for the other. */
async function startPair(scene: Scenario): Promise<[Node, Node]> {
  const flags = (name: string): string[] => [
    ...[`-nid=${name}`, '-csk=secret', '-mbs=192.168.1.101,192.168.1.102'],
  ];
  const one = scene.startOn('one', 'n1', flags('n1'));
  const two = scene.startOn('two', 'n2', flags('n2'));
  await Promise.all([one.sees('online', two), two.sees('online', one)]);
  // MQTT opens after the join.
  await Promise.all([one.process.mqttPort(), two.process.mqttPort()]);
  return [one, two];
}

async function crossing(scene: Scenario, from: Node, to: Node): Promise<void> {
  const [publisher, reader] = await Promise.all([scene.client(from), scene.client(to)]);
  await reader.subscribe('crossing');
  await publisher.publish('crossing', 'x', { qos: 1 });
  await reader.arrival('crossing');
}
