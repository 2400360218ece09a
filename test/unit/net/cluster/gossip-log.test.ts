// The log lines about links, from cores that run in the simulator.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GossipLog } from '../../../../src/net/cluster/gossip-log.ts';
import { NameInUseError } from '../../../../src/net/cluster/name-rival.ts';
import { silentLogger } from '../../../../src/shared/logger.ts';
import { type SimNode, Simulator, settledCluster } from '../../../support/simulator.ts';

interface Line {
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

function logOf(seeds = [{ host: '10.0.0.1', port: 7946 }]): { log: GossipLog; lines: Line[] } {
  const lines: Line[] = [];
  const add = (event: string, fields = {}): number => lines.push({ event, fields });
  const log = new GossipLog({ ...silentLogger, info: add, warn: add, error: add }, seeds);
  log.port = 7946;
  return { log, lines };
}

/** Reviews the node each second, as the gossip channel does. */
function runFor(sim: Simulator, seconds: number, watched: readonly [SimNode, GossipLog][]): void {
  for (let second = 0; second < seconds; second++) {
    sim.runFor(1000);
    for (const [node, log] of watched) log.review(sim.now, node.swim);
  }
}

const events = (lines: readonly Line[]): string[] => lines.map(({ event }) => event);

test('incoming 7946 blocked at one box: all say so at once, each minute, and when it is over', () => {
  const sim = new Simulator(1);
  const nodes = settledCluster(sim, 3, 3);
  const logs = nodes.map(() => logOf());
  const watched = nodes.map((node, index): [SimNode, GossipLog] => [node, logs[index]!.log]);
  sim.isCut = (_from, to) => to.address === nodes[2]!.endpoint.address;
  runFor(sim, 130, watched);
  sim.isCut = () => false;
  runFor(sim, 15, watched);
  for (const { lines } of logs.slice(0, 2)) {
    const unheard = 'n3 does not hear us on udp 7946';
    assert.deepEqual(events(lines).slice(0, 2), [unheard, unheard]);
    assert.equal(events(lines).at(-1), 'n3 hears us again on udp 7946');
    assert.match(String(lines[0]!.fields.hint), /^incoming udp 7946 is blocked there/);
    assert.equal(lines[0]!.fields.address, '10.0.0.3:7946');
  }
  const own = events(logs[2]!.lines);
  assert.equal(own[0], 'no other node is heard on udp 7946');
  assert.ok(own.filter((event) => event === own[0]).length >= 2, 'it is repeated');
  assert.equal(own.at(-1), 'other nodes are heard again on udp 7946');
});

test('outgoing 7946 blocked at a box: it says that no other node hears it', () => {
  const sim = new Simulator(2);
  const nodes = settledCluster(sim, 3, 3);
  const { log, lines } = logOf();
  sim.isCut = (from) => from.address === nodes[2]!.endpoint.address;
  runFor(sim, 30, [[nodes[2]!, log]]);
  const line = lines.find(({ event }) => event === 'no other node hears us on udp 7946');
  assert.deepEqual(line?.fields, { nodes: 2, hint: 'outgoing udp 7946 is blocked here' });
  sim.isCut = () => false;
  runFor(sim, 15, [[nodes[2]!, log]]);
  assert.equal(events(lines).at(-1), 'other nodes hear us again on udp 7946');
});

test('a box that dies, leaves or restarts has no line about a blocked port', () => {
  for (const end of ['kill', 'leave'] as const) {
    const sim = new Simulator(3);
    const nodes = settledCluster(sim, 3, 3);
    const { log, lines } = logOf();
    sim[end](nodes[2]!);
    runFor(sim, 20, [[nodes[0]!, log]]);
    sim.kill(nodes[2]!);
    sim.start(nodes[2]!.options);
    runFor(sim, 20, [[nodes[0]!, log]]);
    assert.deepEqual(lines, []);
  }
});

test('a node that no other answers names the ports and both directions, until one answers', () => {
  const sim = new Simulator(4);
  const [n1, n2] = settledCluster(sim, 2, 2);
  assert.ok(n1 && n2);
  sim.kill(n1);
  sim.kill(n2);
  const { log, lines } = logOf([{ host: 'box2', port: 7950 }]);
  const alone = sim.start({ ...n1.options, seeds: [n2.endpoint] });
  runFor(sim, 70, [[alone, log]]);
  const event = 'no other node answers yet; keeps trying';
  assert.deepEqual(events(lines), [event, event]);
  assert.equal(lines[0]!.fields.seeds, 'box2:7950');
  assert.match(String(lines[0]!.fields.hint), /udp 7946, 7950 must be open in both directions/);
  sim.start(n2.options);
  runFor(sim, 5, [[alone, log]]);
  assert.equal(events(lines).at(-1), 'another node answers');
});

test('datagrams with another token have a line, and one when none came for two minutes', () => {
  const sim = new Simulator(5);
  const [node] = settledCluster(sim, 2);
  assert.ok(node);
  const { log, lines } = logOf([]);
  const from = { address: '10.0.0.9', port: 7946 };
  for (let total = 1; total <= 90; total++) {
    log.envelopeFault(sim.now, 'unknownKey', from, total);
    log.envelopeFault(sim.now, 'badMac', from, total);
    runFor(sim, 1, [[node, log]]);
  }
  const event = 'datagrams with another cluster token (-csk) or cluster name were dropped';
  assert.deepEqual(
    lines.map((line) => [line.event, line.fields.total]),
    [
      [event, 1],
      [event, 61],
    ],
  );
  runFor(sim, 125, [[node, log]]);
  assert.match(lines.at(-1)!.event, /^no more datagrams with another cluster token/);
});

test('a lost name has a line each minute with its cure, and one when it is regained', () => {
  const { log, lines } = logOf();
  const error = new NameInUseError('n1', { address: '10.0.0.9', port: 7946 }, 'copy');
  for (let now = 0; now < 120_000; now += 30_000) log.nameLost(now, error);
  assert.deepEqual(events(lines), ['cluster name lost', 'cluster name lost']);
  assert.equal(lines[0]!.fields.hint, error.cure);
  assert.equal(log.nameRival?.isHolder, true);
  log.nameRegained(130_000);
  log.nameRegained(131_000);
  assert.deepEqual(events(lines).slice(2), ['cluster name regained']);
  assert.equal(log.nameRival, undefined);
});

test('a copy that is refused is known until it has been quiet for two minutes', () => {
  const sim = new Simulator(1);
  const [node] = settledCluster(sim, 2, 2);
  const { log, lines } = logOf();
  log.nameClaimed(sim.now, 'n1', { address: '10.0.0.9', port: 7946 }, 'copy');
  assert.match(String(lines[0]!.fields.hint), /^its disk is a copy .*machine-id/);
  runFor(sim, 100, [[node!, log]]);
  assert.equal(log.nameRival?.kind, 'copy');
  // The next attempt counts, not the first one: the process may be gone in between.
  log.nameClaimed(sim.now, 'n1', { address: '10.0.0.9', port: 7946 }, 'copy');
  assert.equal(log.nameRival.since, sim.now);
  runFor(sim, 100, [[node!, log]]);
  runFor(sim, 30, [[node!, log]]);
  assert.equal(log.nameRival, undefined);
  assert.equal(events(lines).at(-1), 'no other node claims our name any more');
});
