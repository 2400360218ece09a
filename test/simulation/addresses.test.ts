// Source addresses: an envelope names no receiver, so whoever hears a datagram can send a copy of it
// to a third node, from an address of his own.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sameEndpoint } from '../../src/shared/endpoint.ts';
import { endpointOf } from '../../src/swim/member-table.ts';
import { endpointFor, type SimNode, Simulator, settledCluster } from '../support/simulator.ts';

const RELAY_MS = 0.1;
const OUTSIDE = endpointFor(200);

function placeOf(node: SimNode, name: string): string | undefined {
  const member = node.swim.table.get(name);
  return member && endpointOf(member).address;
}

/** Whether each running node reaches each other one where that is now. */
function isFollowed(sim: Simulator): boolean {
  const nodes = sim.running();
  return nodes.every((node) =>
    nodes.every((one) => one === node || placeOf(node, one.name) === one.endpoint.address),
  );
}

for (const isSeedDown of [false, true]) {
  const when = isSeedDown ? ' while a seed is down' : '';
  test(`who copies datagrams, and relays the answers, diverts no traffic${when}`, () => {
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
      let wonBytes = 0;
      sim.sniffer = ({ from, bootId, counter, bytes }, to) => {
        const inject = (target: SimNode): void =>
          sim.at(sim.now + RELAY_MS, () => sim.inject(target, OUTSIDE, bootId, counter, bytes));
        if (sameEndpoint(to, OUTSIDE)) {
          if (from === n2.endpoint) wonBytes += bytes.length;
          inject(from === n2.endpoint ? n1 : n2);
        } else if (from === n1.endpoint && to.address !== n2.endpoint.address) {
          copies += 1;
          injectedBytes += bytes.length;
          inject(n2);
        }
        assert.equal(placeOf(n2, 'n1'), n1.endpoint.address, `seed ${seed}`);
        assert.equal(placeOf(n1, 'n2'), n2.endpoint.address, `seed ${seed}`);
      };
      sim.onEvent = (node, kind, name) => assert.fail(`${node.name}: ${kind} ${name}`);
      sim.runFor(60_000);
      assert.ok(copies > 50, `${copies} copies`);
      assert.ok(wonBytes <= injectedBytes, `${wonBytes} bytes for ${injectedBytes}`);
    }
  });
}

test('a running node that gets another address is followed before anybody gives it up', () => {
  for (let seed = 0; seed < 20; seed++) {
    const sim = new Simulator(seed);
    const nodes = settledCluster(sim, 3);
    sim.onEvent = (node, kind, name) => {
      if (kind === 'offline') assert.fail(`seed ${seed}: ${node.name}: ${kind} ${name}`);
    };
    sim.move(nodes[2]!, endpointFor(99));
    const took = sim.runUntil(() => isFollowed(sim), 4000);
    assert.ok(took !== undefined, `seed ${seed}`);
    sim.runFor(5000);
    assert.ok(isFollowed(sim) && sim.isConverged());
  }
});

test('boxes that all get other addresses at once find each other where host names lead', () => {
  for (let seed = 0; seed < 20; seed++) {
    const sim = new Simulator(seed);
    const places = [1, 2, 3].map((index) => [endpointFor(index), endpointFor(90 + index)] as const);
    const seeds = places.flat();
    const nodes = places.map(([before], index) =>
      sim.start({ name: `n${index + 1}`, endpoint: before, seeds }),
    );
    sim.runFor(20_000);
    for (const [index, [, after]] of places.entries()) sim.move(nodes[index]!, after);
    const took = sim.runUntil(() => isFollowed(sim) && sim.isConverged(), 20_000);
    assert.ok(took !== undefined, `seed ${seed}`);
  }
});
