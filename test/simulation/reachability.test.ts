// Faults of one direction, as firewalls make them: which node can know what, and how soon.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endpointFor, type SimNode, Simulator, settledCluster } from '../support/simulator.ts';

/** Time, by cluster size, from the verdict that a member is offline until all know the direction. */
const KNOWN_MS: Readonly<Record<number, number>> = { 2: 5000, 3: 5000, 5: 5000, 10: 8000 };

function outgoing(sim: Simulator, from: SimNode, to: SimNode): string | undefined {
  const member = from.swim.table.get(to.name);
  return member && from.swim.reachability(sim.now, member).outgoing;
}

function incoming(sim: Simulator, at: SimNode, from: SimNode): string | undefined {
  const member = at.swim.table.get(from.name);
  return member && at.swim.reachability(sim.now, member).incoming;
}

/** Directions that some node holds for failing, as `n1->n3`. */
function failing(sim: Simulator): string[] {
  const found = sim.running().flatMap((node) =>
    sim.running().flatMap((other) => {
      const out = outgoing(sim, node, other) === 'failing' ? [`${node.name}->${other.name}`] : [];
      return incoming(sim, node, other) === 'failing'
        ? [...out, `${other.name}->${node.name}`]
        : out;
    }),
  );
  return [...new Set(found)].sort();
}

function blockIncoming(sim: Simulator, node: SimNode): void {
  sim.isCut = (_from, to) => to.address === node.endpoint.address;
}

for (const [size, limitMs] of Object.entries(KNOWN_MS).map((row) => row.map(Number))) {
  test(`${size} nodes: all know within ${limitMs} ms that one of them hears nothing`, () => {
    for (let seed = 0; seed < 5; seed++) {
      const sim = new Simulator(seed);
      const nodes = settledCluster(sim, size!, size);
      const blocked = nodes.at(-1)!;
      const others = nodes.slice(0, -1);
      blockIncoming(sim, blocked);
      const verdict = sim.runUntil(
        () => others.every((one) => one.swim.table.get(blocked.name)?.state === 'offline'),
        9000,
      );
      assert.ok(verdict !== undefined, `seed ${seed}`);
      const known = sim.runUntil(
        () => others.every((one) => outgoing(sim, one, blocked) === 'failing'),
        limitMs!,
      );
      assert.ok(known !== undefined, `seed ${seed}: ${failing(sim)}`);
      const isKnownThere = sim.runUntil(() => blocked.swim.isCutOff(sim.now), 5000);
      assert.ok(isKnownThere !== undefined, 'the blocked node knows that it hears no other');
      sim.runFor(60_000);
      assert.ok(others.every((one) => outgoing(sim, one, blocked) === 'failing'));
      sim.isCut = () => false;
      assert.ok(sim.runUntil(() => sim.isConverged(), 10_000) !== undefined);
      sim.runFor(10_000);
      assert.deepEqual(failing(sim), []);
      assert.ok(!blocked.swim.isCutOff(sim.now));
    }
  });
}

test('outgoing datagrams blocked at a node: it knows that no other node hears it', () => {
  const sim = new Simulator(1);
  const nodes = settledCluster(sim, 4, 4);
  const blocked = nodes[3]!;
  sim.isCut = (from) => from.address === blocked.endpoint.address;
  const known = sim.runUntil(
    () => nodes.slice(0, 3).every((one) => outgoing(sim, blocked, one) === 'failing'),
    20_000,
  );
  assert.ok(known !== undefined, String(failing(sim)));
  assert.ok(!blocked.swim.isCutOff(sim.now), 'it hears them');
});

test('one direction between two of five fails: both know it, and no member goes offline', () => {
  for (let seed = 0; seed < 10; seed++) {
    const sim = new Simulator(seed);
    const nodes = settledCluster(sim, 5);
    const [, n2, n3] = nodes as [SimNode, SimNode, SimNode];
    sim.onEvent = (node, kind, name) => {
      if (kind === 'offline') assert.fail(`seed ${seed}: ${node.name}: ${kind} ${name}`);
    };
    sim.isCut = (from, to) => from === n2.endpoint && to.address === n3.endpoint.address;
    const isKnown = (): boolean =>
      outgoing(sim, n2, n3) === 'failing' && incoming(sim, n3, n2) === 'failing';
    assert.ok(sim.runUntil(isKnown, 20_000) !== undefined, `seed ${seed}: ${failing(sim)}`);
    assert.deepEqual(failing(sim), ['n2->n3']);
    sim.isCut = () => false;
    sim.runFor(10_000);
    assert.deepEqual(failing(sim), [], `seed ${seed}`);
  }
});

test('a node that starts behind a firewall is known to the nodes that it calls', () => {
  const sim = new Simulator(2);
  const nodes = settledCluster(sim, 2, 2);
  sim.isCut = (_from, to) => to.address === endpointFor(3).address;
  const seeds = [endpointFor(1), endpointFor(2)];
  sim.start({ name: 'n3', endpoint: endpointFor(3), seeds });
  sim.runFor(6000);
  for (const node of nodes) {
    const [boot, ...more] = node.swim.unheardBoots(sim.now);
    assert.deepEqual([boot?.name, boot?.endpoint, more], ['n3', endpointFor(3), []]);
    assert.equal(node.swim.table.get('n3'), undefined, 'it is no member');
  }
  sim.isCut = () => false;
  sim.runFor(2000);
  assert.ok(sim.isConverged());
  for (const node of nodes) assert.deepEqual(node.swim.unheardBoots(sim.now), []);
});

test('loss, deaths, restarts, stalls and partitions are not taken for a blocked direction', () => {
  const faults: ((sim: Simulator, nodes: SimNode[]) => void)[] = [
    (sim) => {
      sim.network.loss = 0.2;
    },
    (sim, nodes) => sim.kill(nodes[2]!),
    (sim, nodes) => sim.leave(nodes[2]!),
    (sim, nodes) => {
      sim.kill(nodes[2]!);
      sim.at(sim.now + 6000, () => sim.start(nodes[2]!.options));
    },
    (sim, nodes) => {
      sim.stall(nodes[2]!);
      sim.at(sim.now + 12_000, () => sim.resume(nodes[2]!));
    },
    (sim, nodes) => {
      const far = new Set(nodes.slice(0, 2).map((node) => node.endpoint.address));
      sim.isCut = (from, to) => far.has(from.address) !== far.has(to.address);
      sim.at(sim.now + 15_000, () => {
        sim.isCut = () => false;
      });
    },
  ];
  for (const [index, fault] of faults.entries()) {
    for (let seed = 0; seed < 10; seed++) {
      const sim = new Simulator(seed);
      fault(sim, settledCluster(sim, 5, 2));
      for (let second = 0; second < 40; second++) {
        sim.runFor(1000);
        assert.deepEqual(failing(sim), [], `fault ${index}, seed ${seed}, second ${second}`);
      }
    }
  }
});
