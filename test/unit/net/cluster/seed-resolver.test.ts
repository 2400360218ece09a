import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ADDRESSES_PER_TURN, SeedResolver } from '../../../../src/net/cluster/seed-resolver.ts';
import { type Endpoint, formatEndpoint } from '../../../../src/shared/endpoint.ts';
import { silentLogger } from '../../../../src/shared/logger.ts';

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function setUp(host: string, resolve: (host: string) => Promise<readonly string[]>) {
  const contacted: Endpoint[][] = [];
  const lines: unknown[] = [];
  const resolver = new SeedResolver({
    seeds: [{ host, port: 7946 }],
    log: {
      ...silentLogger,
      info: (event, fields) => lines.push([event, fields]),
      warn: (event, fields) => lines.push([event, fields]),
    },
    onAddresses: (endpoints) => contacted.push([...endpoints]),
    resolve,
  });
  return { resolver, contacted, lines };
}

test('an address needs no name server', async () => {
  const { resolver, contacted } = setUp('FD00::0001', () => assert.fail('a literal was looked up'));
  resolver.contactAll();
  assert.deepEqual(contacted.flat().map(formatEndpoint), ['[fd00::1]:7946']);
});

test('of a name with more than eight addresses all are contacted in turn', async () => {
  const all = Array.from({ length: 19 }, (_, index) => `10.0.0.${index + 1}`);
  let shift = 0;
  const { resolver, contacted } = setUp('cluster.example', async () => {
    // As name servers do: the same addresses, each time in another order.
    shift += 7;
    return [...all.slice(shift % 19), ...all.slice(0, shift % 19)];
  });
  for (let turn = 0; turn < 3; turn++) {
    resolver.contactAll();
    await tick();
  }
  assert.ok(contacted.every((endpoints) => endpoints.length === ADDRESSES_PER_TURN));
  const addresses = new Set(contacted.flat().map((one) => one.address));
  assert.deepEqual([...addresses].sort(), [...all].sort());
});

test('a name that does not resolve has one line in words, and one when it resolves again', async () => {
  let isDown = true;
  const { resolver, contacted, lines } = setUp('box1.example', async () => {
    if (isDown) {
      throw Object.assign(new Error('getaddrinfo EAI_AGAIN box1.example'), { code: 'EAI_AGAIN' });
    }
    return ['10.0.0.1'];
  });
  for (let attempt = 0; attempt < 3; attempt++) {
    resolver.contactAll();
    await tick();
  }
  isDown = false;
  resolver.contactAll();
  await tick();
  assert.equal(resolver.failures, 3);
  assert.equal(contacted.length, 1);
  const reason = 'the name server does not answer; check the network and /etc/resolv.conf';
  assert.deepEqual(lines, [
    ['cluster seed not resolved', { host: 'box1.example', reason }],
    ['cluster seed resolved', { host: 'box1.example' }],
  ]);
});

test('a slow name server is asked once at a time, and nothing happens after close', async () => {
  let queries = 0;
  const answers: ((addresses: readonly string[]) => void)[] = [];
  const { resolver, contacted } = setUp('slow.example', () => {
    queries += 1;
    return new Promise((resolve) => answers.push(resolve));
  });
  resolver.contactAll();
  resolver.contactAll();
  assert.equal(queries, 1);
  resolver.close();
  for (const answer of answers) answer(['10.0.0.1']);
  await tick();
  assert.deepEqual(contacted, []);
});

test('of a service all hosts are contacted, each by its own port', async () => {
  const contacted: Endpoint[] = [];
  const resolver = new SeedResolver({
    seeds: [{ host: '_shoal-gossip._udp.example', port: 7946 }],
    log: silentLogger,
    onAddresses: (endpoints) => contacted.push(...endpoints),
    resolveService: async () => [
      { host: 'box1.example', port: 7946 },
      { host: 'box2.example', port: 8946 },
      { host: 'gone.example', port: 7946 },
    ],
    resolve: async (host) => {
      if (host === 'gone.example') throw Object.assign(new Error(), { code: 'ENOTFOUND' });
      return host === 'box1.example' ? ['10.0.0.1', 'fd00::1'] : ['10.0.0.2'];
    },
  });
  resolver.contactAll();
  await tick();
  const places = contacted.map(formatEndpoint).sort();
  assert.deepEqual(places, ['10.0.0.1:7946', '10.0.0.2:8946', '[fd00::1]:7946']);
  assert.equal(resolver.failures, 0);
});

test('a service without hosts that resolve is a failure like a name', async () => {
  const contacted: Endpoint[] = [];
  const resolver = new SeedResolver({
    seeds: [{ host: '_shoal-gossip._udp.example', port: 7946 }],
    log: silentLogger,
    onAddresses: (endpoints) => contacted.push(...endpoints),
    resolveService: async () => [{ host: 'gone.example', port: 7946 }],
    resolve: () => Promise.reject(Object.assign(new Error(), { code: 'ENOTFOUND' })),
  });
  resolver.contactAll();
  await tick();
  assert.equal(resolver.failures, 1);
  assert.deepEqual(contacted, []);
});
