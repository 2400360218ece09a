import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  isSilent,
  judgeWays,
  testPaths,
  type Ways,
} from '../../../../src/net/cluster/path-test.ts';
import { Prober } from '../../../../src/net/cluster/prober.ts';
import type { Endpoint } from '../../../../src/shared/endpoint.ts';
import { isProbe } from '../../../../src/shared/envelope.ts';
import { type Channel, deriveKeyRing, type KeyRing } from '../../../../src/shared/key-ring.ts';

const ADDRESSES = ['10.0.0.1', '10.0.0.2'] as const;
const PORTS = { gossip: 7946, sync: 7947 };
const APART_PORT = 40_000;
const keys = await deriveKeyRing(['a token of a test'], 'shoal');

type Blocks = (from: string, channel: Channel, bytes: number) => boolean;

/** Two nodes and the network between them, which drops what `blocks` says. */
function pair(blocks: Blocks = () => false, theirKeys: KeyRing = keys) {
  const sizes: { from: string; bytes: number }[] = [];
  const probers = new Map<string, Prober>();
  let apart: (datagram: Buffer, from: Endpoint) => void = () => undefined;
  const send = (datagram: Buffer, from: Endpoint, to: Endpoint): void => {
    assert.ok(isProbe(datagram));
    sizes.push({ from: from.address, bytes: datagram.length });
    if (to.port === APART_PORT) {
      setImmediate(() => apart(datagram, from));
      return;
    }
    const channel = to.port === PORTS.gossip ? 'gossip' : 'sync';
    if (blocks(from.address, channel, datagram.length)) return;
    setImmediate(() => probers.get(to.address)?.receive(channel, datagram, from));
  };
  for (const [index, address] of ADDRESSES.entries()) {
    const prober = new Prober({
      keys: index === 0 ? keys : theirKeys,
      encrypt: false,
      ports: () => PORTS,
      facts: (question) => ({
        name: 'box2',
        version: '0.4.0',
        clock: Date.now() + 5000,
        holder: { address: '10.0.0.3', port: 7946 },
        members: [],
        question,
      }),
      send: (channel, datagram, to) => send(datagram, { address, port: PORTS[channel] }, to),
      openApart: (onDatagram) => {
        apart = onDatagram;
        return Promise.resolve({
          send: (datagram, to) => send(datagram, { address, port: APART_PORT }, to),
          close: () => Promise.resolve(),
        });
      },
    });
    probers.set(address, prober);
  }
  const [one, two] = ADDRESSES.map((address) => probers.get(address));
  assert.ok(one && two);
  return { one, two, sizes };
}

const target = {
  gossip: { address: '10.0.0.2', port: PORTS.gossip },
  sync: { address: '10.0.0.2', port: PORTS.sync },
};
const options = { nodeName: 'box1', datagramBytes: 1400 };

test('two nodes that hear each other on both ports know times, sizes, addresses and clocks', async () => {
  const { one, sizes } = pair();
  const report = await testPaths(one, target, options);
  const ok = { out: 'ok', in: 'ok' };
  assert.deepEqual(report.ways, { gossip: ok, sync: ok });
  assert.ok((report.rttMs.gossip ?? 0) > 0 && (report.rttMs.sync ?? 0) > 0);
  assert.deepEqual(report.observed, { address: '10.0.0.1', port: 7946 });
  assert.equal(report.facts?.name, 'box2');
  assert.ok(Math.abs((report.clockAheadMs ?? 0) - 5000) < 1000);
  assert.equal(report.largestBytes, 1472);
  assert.ok(sizes.every(({ bytes }) => bytes <= 1472));
});

const [OUT, IN] = ADDRESSES;

describe('a blocked port', { concurrency: true }, () => {
  for (const [name, blocked, expected] of [
    [
      'both ports from it',
      [
        [IN, 'gossip'],
        [IN, 'sync'],
      ],
      'gossip in, sync in',
    ],
    ['7946 to it', [[OUT, 'gossip']], 'gossip out'],
    ['7946 from it', [[IN, 'gossip']], 'gossip in'],
    ['7947 to it', [[OUT, 'sync']], 'sync out'],
    ['7947 from it', [[IN, 'sync']], 'sync in'],
    [
      '7946 both ways',
      [
        [OUT, 'gossip'],
        [IN, 'gossip'],
      ],
      'gossip in, gossip out',
    ],
    [
      '7947 both ways',
      [
        [OUT, 'sync'],
        [IN, 'sync'],
      ],
      'sync in, sync out',
    ],
    [
      '7946 to it and 7947 from it',
      [
        [OUT, 'gossip'],
        [IN, 'sync'],
      ],
      'gossip out, sync in',
    ],
  ] as const) {
    test(`a firewall that blocks ${name} is found by its direction`, async () => {
      const { one } = pair((from, channel) =>
        blocked.some(([a, c]) => a === from && c === channel),
      );
      const { ways, facts } = await testPaths(one, target, options);
      assert.equal(blockedWays(ways), expected);
      assert.equal(facts?.name, 'box2', 'the facts come by a path that works');
    });
  }
});

test('without any answer nothing is said about a direction', async () => {
  const { one } = pair(() => true);
  const { ways, facts } = await testPaths(one, target, options);
  assert.ok(isSilent(ways));
  assert.equal(blockedWays(ways), '');
  assert.equal(facts, undefined);
});

test('a path that drops large datagrams is found by their size', async () => {
  const { one } = pair((_from, _channel, bytes) => bytes > 1300);
  assert.equal((await testPaths(one, target, options)).largestBytes, 1200);
});

test('a node with another token answers nothing', async () => {
  const { one, two, sizes } = pair(undefined, await deriveKeyRing(['another token'], 'shoal'));
  assert.ok(isSilent((await testPaths(one, target, options)).ways));
  assert.ok(two.counters.dropped > 0);
  assert.ok(sizes.every(({ from }) => from === OUT));
});

test('no answer is longer than what it answers, and facts need a cookie of the same address', async () => {
  const { one, two, sizes } = pair();
  const path = { out: 'gossip', back: 'gossip' } as const;
  const answer = await one.probe(target, path, { bytes: 70, timeoutMs: 1000 });
  assert.ok(answer);
  assert.equal(sizes[0]?.bytes, sizes[1]?.bytes);
  const question = { text: '{}', timeoutMs: 50 };
  assert.equal(await one.ask(target, path, answer.cookie + 1n, question), undefined);
  assert.ok(await one.ask(target, path, answer.cookie, { ...question, timeoutMs: 1000 }));
  assert.equal(two.counters.dropped, 1);
});

test('random bytes in place of a probe change a counter only', () => {
  const { one, sizes } = pair();
  for (let length = 0; length < 300; length++) {
    one.receive('gossip', Buffer.alloc(length, length), { address: '10.0.0.9', port: 1 });
  }
  assert.equal(one.counters.dropped, 300);
  assert.deepEqual(sizes, []);
});

test('a way is convicted only where the other half of a failing path is proven', () => {
  const none = judgeWays([
    { path: { out: 'gossip', back: 'gossip' }, works: false },
    { path: { out: 'sync', back: 'sync' }, works: false },
  ]);
  assert.equal(blockedWays(none), '');
});

function blockedWays(ways: Ways): string {
  const found = (['gossip', 'sync'] as const).flatMap((channel) =>
    (['in', 'out'] as const)
      .filter((direction) => ways[channel][direction] === 'blocked')
      .map((direction) => `${channel} ${direction}`),
  );
  return found.join(', ');
}
