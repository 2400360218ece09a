// One address for all clients, which one box holds: boxes in namespaces, and clients that know only this
// address.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { describe } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ControlClient } from '../../src/cli/control-client.ts';
import type { NodeView, VerdictView } from '../../src/http/node-api.ts';
import type { Network } from '../support/network.ts';
import {
  allSeeEachOther,
  CLIENT_HOST,
  type Node,
  networkScenario,
  type Scenario,
} from './support/scenario.ts';

const ADDRESS = '192.168.1.10';
const ADDRESS_IPV6 = 'fd00::10';
const BOXES = { box1: ['192.168.1.101'], box2: ['192.168.1.102'], box3: ['192.168.1.103'] };
const DUAL_BOXES = {
  box1: ['192.168.1.101', 'fd00::101'],
  box2: ['192.168.1.102', 'fd00::102'],
  box3: ['192.168.1.103', 'fd00::103'],
};
const TOKEN = `-csk=${randomBytes(24).toString('hex')}`;
const POLL_MS = 50;
const WAIT_MS_MAX = 30_000;
/** A node looks every 30 s whether the other host is gone. */
const RETAKEN_MS_MAX = 90_000;

function controlOf({ folder }: Scenario, name: string): string {
  return join(folder, `${name}.sock`);
}

function start(scene: Scenario, name: string, ...flags: string[]): Node {
  const own = [`-nid=${name}`, `-control=${controlOf(scene, name)}`];
  const all = [...own, TOKEN, `-address=${ADDRESS}/24`, '-anonymous=true', ...flags];
  return scene.startOn(name, name, all);
}

function holders(network: Network, address = ADDRESS): string[] {
  return Object.keys(BOXES).filter((name) => network.holds(name, address));
}

/** Resolves with the one box that holds the address, other than `former`. */
async function holder(network: Network, former?: string): Promise<string> {
  for (const end = Date.now() + WAIT_MS_MAX; Date.now() < end; await delay(POLL_MS)) {
    const [first, ...others] = holders(network);
    if (first !== undefined && others.length === 0 && first !== former) return first;
  }
  throw new Error(`the address is held by: ${holders(network).join(', ') || 'no box'}`);
}

async function until(isReached: () => boolean, what: string): Promise<void> {
  for (const end = Date.now() + WAIT_MS_MAX; !isReached(); await delay(POLL_MS)) {
    assert.ok(Date.now() < end, what);
  }
}

/** Resolves when this box holds the address, and no other one. */
async function settled(network: Network, name: string): Promise<void> {
  for (const end = Date.now() + WAIT_MS_MAX; Date.now() < end; await delay(POLL_MS)) {
    if (holders(network).join() === name) return;
  }
  throw new Error(`${name} does not hold it, but: ${holders(network).join(', ') || 'no box'}`);
}

/** Resolves when the status of one box names the box that holds it. */
async function showsHolder(scene: Scenario, at: string, holding: string): Promise<void> {
  const control = new ControlClient(controlOf(scene, at));
  for (const end = Date.now() + WAIT_MS_MAX; ; await delay(POLL_MS)) {
    const answer = await control.ask({ path: '/api/v1/nodes' });
    const { nodes } = answer as { nodes: readonly NodeView[] };
    const named = nodes.filter(({ clientAddresses }) => clientAddresses?.includes(ADDRESS));
    if (named.map(({ name }) => name).join() === holding) return;
    assert.ok(Date.now() < end, `${at} says that it is held by ${JSON.stringify(named)}`);
  }
}

/** The first box has been there for the longest, and holds the address; the others are in line. */
async function startAll(scene: Scenario, network: Network): Promise<Node[]> {
  const one = start(scene, 'box1');
  assert.equal(await holder(network), 'box1');
  const others = [start(scene, 'box2'), start(scene, 'box3')];
  for (const { process } of others) await process.waitFor(/another node holds the address/);
  const nodes = [one, ...others];
  await allSeeEachOther(nodes);
  return nodes;
}

describe('the address of the clients', { concurrency: 2 }, () => {
  networkScenario(
    'one box holds it, and another one takes it when the first is killed',
    ['mosquitto_sub', 'mosquitto_pub'],
    async (scene, context) => {
      const network = await scene.network(BOXES);
      const nodes = await startAll(scene, network);
      const first = 'box1';
      const via = network.via(CLIENT_HOST);
      // It reconnects by itself, and has no other address.
      const subscriber = scene.run(
        ['mosquitto_sub', '-h', ADDRESS, '-k', '5', '-t', 't', '-F', 'got %p'],
        via,
      );
      const published = async (text: string): Promise<void> => {
        for (;;) {
          const flags = ['-h', ADDRESS, '-t', 't', '-q', '1', '-m', text];
          const attempt = scene.run(['timeout', '2', 'mosquitto_pub', ...flags], via);
          await attempt.exited;
          if (subscriber.output.includes(`got ${text}`)) return;
          await delay(POLL_MS);
        }
      };
      await published('before');
      const killedAt = Date.now();
      await nodes.find(({ name }) => name === first)?.process.kill();
      const second = await holder(network, first);
      const heldMs = Date.now() - killedAt;
      await published('after');
      assert.notEqual(second, first);
      // For the reader of the log; a slow machine needs longer.
      const servedMs = Date.now() - killedAt;
      context.diagnostic(`address moved in ${heldMs} ms, subscriber served in ${servedMs} ms`);
    },
  );

  networkScenario('it stays where it is when the first box returns', [], async (scene) => {
    const network = await scene.network(BOXES);
    const nodes = await startAll(scene, network);
    const first = 'box1';
    const leaving = nodes.find(({ name }) => name === first);
    leaving?.process.signal('SIGTERM');
    await leaving?.process.exited;
    const second = await holder(network, first);
    const third = Object.keys(BOXES).find((name) => name !== first && name !== second) ?? '';
    const watching = nodes.find(({ name }) => name === third);
    const mark = watching?.mark();
    const returned = start(scene, first);
    await returned.process.waitFor(/Shoal v/);
    await watching?.sees('online', first, mark);
    await settled(network, second);
    for (const name of [second, third]) await showsHolder(scene, name, second);
    // The box that has been there for longer comes next, not the one that has returned.
    await nodes.find(({ name }) => name === second)?.process.kill();
    await settled(network, third);
  });

  networkScenario(
    'a partition has two holders, and one of them gives way',
    ['nft'],
    async (scene) => {
      const network = await scene.network(BOXES);
      await startAll(scene, network);
      const first = 'box1';
      const others = Object.keys(BOXES).filter((name) => name !== first);
      network.cut(first, others);
      const isTwice = (): boolean => holders(network).length === 2;
      await until(isTwice, 'the other side takes the address too');
      network.heal(first);
      // The one that has been there for longer keeps it.
      await settled(network, first);
      assert.doesNotMatch(scene.logs, /cannot be taken/);
    },
  );

  networkScenario(
    'the clients learn at once on which box an IPv4 and an IPv6 address are now',
    ['mosquitto_pub'],
    async (scene) => {
      const network = await scene.network(DUAL_BOXES, ['192.168.1.200', 'fd00::200']);
      const both = [ADDRESS, ADDRESS_IPV6];
      const flag = `-address=${ADDRESS}/24,${ADDRESS_IPV6}/64`;
      const one = start(scene, 'box1', flag);
      const isOn = (address: string, name: string): boolean =>
        holders(network, address).join() === name;
      for (const address of both) {
        await until(() => isOn(address, 'box1'), `box1 takes ${address}`);
        const words = ['mosquitto_pub', '-h', address, '-t', 't', '-q', '1', '-m', 'm'];
        const published = await scene.run(words, network.via(CLIENT_HOST)).exited;
        assert.equal(published.code, 0);
      }
      const two = start(scene, 'box2', flag);
      await allSeeEachOther([one, two]);
      await one.process.kill();
      for (const address of both) {
        await until(() => isOn(address, 'box2'), `box2 takes ${address}`);
        // The client sends nothing that would make its box ask. The system may have dropped the entry.
        const known = [undefined, network.hardwareAddress('box2')];
        await until(
          () => known.includes(network.neighbour(CLIENT_HOST, address)),
          `the client knows where ${address} is`,
        );
      }
      await two.process.waitFor(/holds the address of the clients" address=fd00::10/);
      two.process.signal('SIGTERM');
      await two.process.exited;
      for (const address of both) assert.deepEqual(holders(network, address), []);
    },
  );

  networkScenario(
    'an address that another host uses is not taken before that host is gone',
    ['nft'],
    async (scene) => {
      const network = await scene.network(BOXES, ['192.168.1.200', ADDRESS]);
      // It drops the connection as well, and answers ARP alone.
      network.blockPort(CLIENT_HOST, 'in', 1883, 'tcp');
      const { process } = start(scene, 'box1');
      const hardware = network.hardwareAddress(CLIENT_HOST);
      await process.waitFor(new RegExp(`used by another host.*hardware=${hardware}`));
      assert.deepEqual(holders(network), []);
      const control = new ControlClient(controlOf(scene, 'box1'));
      const answer = await control.ask({ path: '/api/v1/nodes' });
      const { verdict } = answer as { verdict: VerdictView };
      assert.deepEqual(
        verdict.faults.map(({ code }) => code),
        ['address'],
      );
      network.dropAddress(CLIENT_HOST, ADDRESS);
      await process.waitFor(/the address of the clients is free again/, RETAKEN_MS_MAX);
      assert.equal(await holder(network), 'box1');
      // A host that comes later is named as well, and the node keeps the address.
      const from = process.lineCount;
      network.addAddress(CLIENT_HOST, ADDRESS);
      await process.waitFor(new RegExp(`used by another host.*${hardware}`), undefined, from);
      assert.ok(network.holds('box1', ADDRESS));
      network.dropAddress(CLIENT_HOST, ADDRESS);
      await process.waitFor(/the address of the clients is free again/, undefined, from);
    },
  );

  networkScenario('an address of the box itself is never touched', [], async (scene) => {
    const network = await scene.network(BOXES);
    const own = scene.startOn('box1', 'box1', ['-nid=box1', TOKEN, '-address=192.168.1.101/24']);
    await own.process.waitFor(/cannot be taken.*address of this box itself/);
    assert.ok(network.holds('box1', '192.168.1.101'));
  });
});
