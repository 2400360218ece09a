// Source addresses: an envelope names no receiver, so an attacker who hears a datagram can send a
// copy of it to a third node, from an address of the attacker's own.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sameEndpoint } from '../../src/shared/endpoint.ts';
import { endpointOf } from '../../src/swim/member-table.ts';
import { endpointFor, type SimNode, Simulator, settledCluster } from '../support/simulator.ts';

const RELAY_MS = 0.1;
const OUTSIDE = endpointFor(200);

function addressOf(node: SimNode, name: string): string | undefined {
  const member = node.swim.table.get(name);
  return member && endpointOf(member).address;
}

/** Whether each running node sends to the present addresses of all others. */
function isFollowedByAll(sim: Simulator): boolean {
  const nodes = sim.running();
  return nodes.every((node) =>
    nodes.every((one) => one === node || addressOf(node, one.name) === one.endpoint.address),
  );
}

for (const isSeedDown of [false, true]) {
  const when = isSeedDown ? ' while a seed is down' : '';
  test(`an attacker who copies datagrams and relays the answers diverts no traffic${when}`, () => {
    for (let seed = 0; seed < 5; seed++) {
      const sim = new Simulator(seed);
      const nodes = settledCluster(sim, 4, 4);
      const [n1, n2, n3, n4] = nodes;
      assert.ok(n1 && n2 && n3 && n4);
      if (isSeedDown) {
        sim.kill(n4);
        sim.runFor(20_000);
      }
      let copies = 0;
      let injectedBytes = 0;
      let answerBytes = 0;
      sim.sniffer = ({ from, bootId, counter, bytes }, to) => {
        const inject = (target: SimNode): void =>
          sim.at(sim.now + RELAY_MS, () => sim.inject(target, OUTSIDE, bootId, counter, bytes));
        if (sameEndpoint(to, OUTSIDE)) {
          if (from === n2.endpoint) answerBytes += bytes.length;
          inject(from === n2.endpoint ? n1 : n2);
        } else if (from === n1.endpoint && to.address !== n2.endpoint.address) {
          copies += 1;
          injectedBytes += bytes.length;
          inject(n2);
        }
        assert.equal(addressOf(n2, 'n1'), n1.endpoint.address, `seed ${seed}`);
        assert.equal(addressOf(n1, 'n2'), n2.endpoint.address, `seed ${seed}`);
      };
      sim.onEvent = (node, kind, name) => assert.fail(`${node.name}: ${kind} ${name}`);
      sim.runFor(60_000);
      assert.ok(copies > 50, `${copies} copies`);
      assert.ok(answerBytes <= injectedBytes, `${answerBytes} bytes for ${injectedBytes}`);
    }
  });
}

test('the others follow a running node to its new address before they declare it offline', () => {
  for (let seed = 0; seed < 20; seed++) {
    const sim = new Simulator(seed);
    const nodes = settledCluster(sim, 3);
    sim.onEvent = (node, kind, name) => {
      if (kind === 'offline') assert.fail(`seed ${seed}: ${node.name}: ${kind} ${name}`);
    };
    sim.move(nodes[2]!, endpointFor(99));
    const took = sim.runUntil(() => isFollowedByAll(sim), 4000);
    assert.ok(took !== undefined, `seed ${seed}`);
    sim.runFor(5000);
    assert.ok(isFollowedByAll(sim) && sim.isConverged());
  }
});

test('two nodes that move at once find each other through a third one', () => {
  for (let seed = 0; seed < 20; seed++) {
    const sim = new Simulator(seed);
    const nodes = settledCluster(sim, 4);
    sim.move(nodes[2]!, endpointFor(98));
    sim.move(nodes[3]!, endpointFor(99));
    const took = sim.runUntil(() => isFollowedByAll(sim) && sim.isConverged(), 30_000);
    assert.ok(took !== undefined, `seed ${seed}`);
    sim.runFor(5000);
    assert.ok(isFollowedByAll(sim) && sim.isConverged());
  }
});

test('nodes that all get new addresses at once find each other by host names', () => {
  for (let seed = 0; seed < 20; seed++) {
    const sim = new Simulator(seed);
    const addresses = [1, 2, 3].map(
      (index) => [endpointFor(index), endpointFor(90 + index)] as const,
    );
    const seeds = addresses.flat();
    const nodes = addresses.map(([before], index) =>
      sim.start({ name: `n${index + 1}`, endpoint: before, seeds }),
    );
    sim.runFor(20_000);
    for (const [index, [, after]] of addresses.entries()) sim.move(nodes[index]!, after);
    const took = sim.runUntil(() => isFollowedByAll(sim) && sim.isConverged(), 20_000);
    assert.ok(took !== undefined, `seed ${seed}`);
  }
});

test('every node learns its own address, the first one too, which is the seed of the others', () => {
  for (let seed = 0; seed < 20; seed++) {
    const sim = new Simulator(seed);
    const nodes = [1, 2, 3].map((index) => {
      const seeds = index === 1 ? [] : [endpointFor(1)];
      const endpoint = endpointFor(index);
      return sim.start({ name: `n${index}`, endpoint, seeds, knowsAddress: false });
    });
    const isLearnt = (): boolean =>
      nodes.every(({ swim, endpoint }) => swim.self.address === endpoint.address);
    assert.ok(sim.runUntil(isLearnt, 10_000) !== undefined, `seed ${seed}`);
  }
});
