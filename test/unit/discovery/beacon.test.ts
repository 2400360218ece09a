import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BeaconMessage } from '../../../src/discovery/beacon-codec.ts';
import { BeaconLan } from '../../support/beacon-lan.ts';

function callsOf(lan: BeaconLan, address: string): BeaconMessage[] {
  return lan.sent
    .filter(({ from, to }) => from === address && to === 'all')
    .map(({ message }) => message);
}

function answers(lan: BeaconLan, address?: string): number {
  return lan.sent.filter(
    ({ message, to }) => message.kind === 'answer' && (address === undefined || to === address),
  ).length;
}

test('two boxes that start together find each other with their first calls', () => {
  const lan = new BeaconLan();
  const one = lan.add(1n, '192.168.1.1');
  const two = lan.add(2n, '192.168.1.2');
  lan.run(50);
  assert.ok(one.members.has(2n) && two.members.has(1n));
});

test('a box that comes later finds the cluster, and has one answer to each call', () => {
  const lan = new BeaconLan();
  lan.join(lan.add(1n, '192.168.1.1'), lan.add(2n, '192.168.1.2'), lan.add(3n, '192.168.1.3'));
  lan.run(60_000);
  lan.joins = false;
  const late = lan.add(9n, '192.168.1.9');
  lan.run(20_000);
  const calls = callsOf(lan, '192.168.1.9').length;
  assert.ok(late.found.length > 0);
  const count = answers(lan, '192.168.1.9');
  assert.ok(count > 0 && count <= calls, `${count} answers to ${calls} calls`);
});

test('of a cluster one box calls: a stranger who listens counts no boxes', () => {
  const lan = new BeaconLan();
  lan.join(lan.add(3n, '192.168.1.3'), lan.add(1n, '192.168.1.1'), lan.add(2n, '192.168.1.2'));
  lan.run(20_000);
  const settled = lan.sent.length;
  lan.run(60_000);
  const later = lan.sent.slice(settled);
  assert.ok(later.length >= 10, 'the network is called every few seconds');
  assert.deepEqual([...new Set(later.map(({ from }) => from))], ['192.168.1.1']);
});

test('when the box that calls is gone, another one calls', () => {
  const lan = new BeaconLan();
  const one = lan.add(1n, '192.168.1.1');
  const two = lan.add(2n, '192.168.1.2');
  lan.join(one, two, lan.add(3n, '192.168.1.3'));
  lan.run(20_000);
  one.beacon.setLinks(lan.now, []);
  lan.run(20_000);
  const count = callsOf(lan, '192.168.1.2').length;
  lan.run(20_000);
  assert.ok(callsOf(lan, '192.168.1.2').length > count);
});

test('two clusters that meet become one', () => {
  const lan = new BeaconLan();
  const [a, b] = [lan.add(1n, '192.168.1.1'), lan.add(2n, '192.168.1.2')];
  const [c, d] = [lan.add(3n, '192.168.2.1'), lan.add(4n, '192.168.2.2')];
  lan.join(a, b);
  lan.join(c, d);
  lan.run(30_000);
  for (const [box, address] of [
    [c, '192.168.1.3'],
    [d, '192.168.1.4'],
  ] as const) {
    box.links = [{ address, prefixBits: 24 }];
    box.beacon.setLinks(lan.now, box.links);
  }
  lan.run(1000);
  for (const box of [a, b, c, d]) assert.equal(box.members.size, 3);
});

test('a new network is called at once', () => {
  const lan = new BeaconLan();
  const one = lan.add(1n, '192.168.1.1');
  const two = lan.add(2n, '10.0.0.2');
  lan.run(30_000);
  one.links = [...one.links, { address: '10.0.0.1', prefixBits: 24 }];
  one.beacon.setLinks(lan.now, one.links);
  lan.run(20);
  assert.ok(two.members.has(1n));
});

test('a node without a network has no deadline', () => {
  const lan = new BeaconLan();
  const { beacon } = lan.add(1n);
  lan.run(1000);
  assert.equal(beacon.deadline, Number.POSITIVE_INFINITY);
});

test('a repeated call has no answer, however often it comes', () => {
  const lan = new BeaconLan();
  lan.joins = false;
  const node = lan.add(1n, '192.168.1.1');
  lan.add(2n, '192.168.1.2');
  lan.run(100);
  const [call] = callsOf(lan, '192.168.1.2');
  assert.ok(call !== undefined);
  const before = answers(lan);
  for (let repeat = 0; repeat < 1000; repeat++) {
    lan.now += 100;
    node.beacon.handle(lan.now, { address: '192.168.1.2', port: 40000 }, call);
  }
  assert.equal(answers(lan), before);
  assert.equal(node.beacon.counters.replayed, 1000);
});

test('a recorded call that is sent from another address has no answer', () => {
  const lan = new BeaconLan();
  const node = lan.add(1n, '192.168.1.1');
  const endpoint = { address: '192.168.1.2', port: 7946 };
  const call = { kind: 'call', endpoint, bootId: 2n, counter: 5n, nonce: 6n } as const;
  node.beacon.handle(lan.now, { address: '192.168.1.66', port: 1 }, call);
  const routed = { ...call, endpoint: { address: '10.9.9.9', port: 7946 } };
  node.beacon.handle(lan.now, { address: '10.9.9.9', port: 1 }, routed);
  assert.equal(answers(lan), 0);
  assert.equal(node.beacon.counters.misplaced, 2);
});

test('recordings of many runs of a box have a bounded number of answers', () => {
  const lan = new BeaconLan();
  const node = lan.add(1n, '192.168.1.1');
  const endpoint = { address: '192.168.1.2', port: 7946 };
  for (let boot = 100; boot < 1100; boot++) {
    const call = { kind: 'call', endpoint, bootId: BigInt(boot), counter: 1n, nonce: 1n } as const;
    node.beacon.handle(lan.now, { address: endpoint.address, port: 1 }, call);
  }
  assert.ok(answers(lan) <= 20, `${answers(lan)} answers`);
});

test('an answer to no call of this run, or to an old one, leads to no contact', () => {
  const lan = new BeaconLan();
  const node = lan.add(1n, '192.168.1.1');
  lan.run(20);
  const [call] = callsOf(lan, '192.168.1.1');
  assert.ok(call !== undefined);
  const endpoint = { address: '192.168.1.2', port: 7946 };
  const answer = { kind: 'answer', endpoint, bootId: 2n, counter: 1n } as const;
  const from = { address: '192.168.1.2', port: 7946 };
  node.beacon.handle(lan.now, from, { ...answer, nonce: call.nonce + 1n });
  assert.deepEqual(node.found, []);
  node.beacon.handle(lan.now, from, { ...answer, nonce: call.nonce });
  assert.deepEqual(node.found, ['192.168.1.2:7946']);
  lan.run(20_000);
  node.beacon.handle(lan.now, from, { ...answer, nonce: call.nonce });
  assert.equal(node.found.length, 1);
});

test('a member that is well is contacted by no second address', () => {
  const lan = new BeaconLan();
  const one = lan.add(1n, '192.168.1.1', '10.0.0.1');
  const two = lan.add(2n, '192.168.1.2', '10.0.0.2');
  lan.join(one, two);
  lan.run(60_000);
  assert.deepEqual([one.found, two.found], [[], []]);
});

test('boxes that all get other addresses at once find each other, though they still hold each other for alive', () => {
  const lan = new BeaconLan();
  const boxes = [1, 2, 3, 4].map((id) => lan.add(BigInt(id), `192.168.1.${id}`));
  lan.join(...boxes);
  lan.run(30_000);
  lan.joins = false;
  for (const [index, box] of boxes.entries()) {
    box.links = [{ address: `192.168.1.${index + 101}`, prefixBits: 24 }];
    box.beacon.setLinks(lan.now, box.links);
  }
  lan.run(6000);
  const pairs = new Set<string>();
  for (const [index, box] of boxes.entries()) {
    for (const endpoint of box.found) {
      const other = Number(endpoint.slice('192.168.1.10'.length, -':7946'.length)) - 1;
      pairs.add([index, other].sort().join('-'));
    }
  }
  assert.equal(pairs.size, 6, 'each pair has met');
});
