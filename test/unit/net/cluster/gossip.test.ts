import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { after, test } from 'node:test';
import { Gossip, type GossipOptions } from '../../../../src/net/cluster/gossip.ts';
import { NameInUseError } from '../../../../src/net/cluster/name-rival.ts';
import { formatHostPort, type HostPort } from '../../../../src/shared/endpoint.ts';
import {
  ENVELOPE_HEADER_BYTES,
  ENVELOPE_TAG_BYTES,
  Sealer,
} from '../../../../src/shared/envelope.ts';
import { deriveKeyRing, type KeyRing } from '../../../../src/shared/key-ring.ts';
import { silentLogger } from '../../../../src/shared/logger.ts';
import type { Peer } from '../../../../src/shared/peer.ts';
import { TIMING_PRESETS } from '../../../../src/swim/timing.ts';

const ring = await deriveKeyRing(['a token'], 'test');
const others = await deriveKeyRing(['another token'], 'test');
let lastBootId = 0n;
const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some((one) => one.address === '::1'),
);
const open = new Set<Gossip>();

after(() => Promise.all([...open].map((one) => one.close())));

class Watch {
  peers: readonly Peer[] = [];
  readonly lines: string[] = [];
  readonly warnings: string[] = [];
  readonly fields: unknown[] = [];
  #waiting: (() => void)[] = [];

  changed(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  async until(isDone: () => boolean): Promise<void> {
    while (!isDone()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  names(): string {
    return this.peers
      .map((peer) => peer.name)
      .sort()
      .join();
  }
}

async function start(
  name: string,
  watch: Watch,
  seeds: readonly HostPort[],
  more: Partial<GossipOptions> & { ring?: KeyRing } = {},
): Promise<Gossip> {
  lastBootId += 1n;
  const gossip = await Gossip.start({
    name,
    bootId: lastBootId,
    keys: (more.ring ?? ring).gossip,
    encrypt: false,
    bind: '127.0.0.1',
    port: 0,
    seeds,
    metadata: { syncPort: 7947, mqttPort: 1883, version: '0.1.0' },
    ...TIMING_PRESETS.local,
    log: {
      ...silentLogger,
      info: (line) => watch.lines.push(line),
      warn: (line, fields) => {
        watch.warnings.push(line);
        watch.fields.push(fields);
        watch.changed();
      },
    },
    onPeers: (peers) => {
      watch.peers = peers;
      watch.changed();
    },
    ...more,
  });
  open.add(gossip);
  return gossip;
}

async function stop(gossip: Gossip): Promise<void> {
  open.delete(gossip);
  await gossip.close();
}

/** A port that no program uses at present. */
async function freePort(): Promise<number> {
  const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(resolve));
  return port;
}

const at = (gossip: Gossip): HostPort => ({ host: '127.0.0.1', port: gossip.local.port });

test('three nodes find each other through one seed, and one that leaves is off the lists at once', async () => {
  const [w1, w2, w3] = [new Watch(), new Watch(), new Watch()];
  const n1 = await start('n1', w1, []);
  const n2 = await start('n2', w2, [at(n1)]);
  const n3 = await start('n3', w3, [at(n1)]);
  await Promise.all([
    w1.until(() => w1.names() === 'n2,n3'),
    w2.until(() => w2.names() === 'n1,n3'),
    w3.until(() => w3.names() === 'n1,n2'),
  ]);
  assert.equal(w1.peers.find((peer) => peer.name === 'n2')?.bootId, lastBootId - 1n);
  assert.ok(w1.lines.includes(`cluster online n2 ${formatHostPort(at(n2))}`));
  await n3.leave();
  await Promise.all([w1.until(() => w1.names() === 'n2'), w2.until(() => w2.names() === 'n1')]);
  assert.equal(n1.members().find((one) => one.name === 'n3')?.state, 'left');
  const names = ['n1', 'n2', 'n3', 'n4'];
  assert.deepEqual(
    names.map((name) => n1.stateOf(name)),
    ['alive', 'alive', 'left', undefined],
  );
  for (const one of [n1, n2, n3]) await stop(one);
});

test('a name in use is refused with the address of the holder', async () => {
  const watch = new Watch();
  const n1 = await start('n1', watch, []);
  const n2 = await start('n2', watch, [at(n1)]);
  await assert.rejects(
    start('n2', new Watch(), [at(n1)]),
    (error) => error instanceof NameInUseError && error.message.includes(formatHostPort(at(n2))),
  );
  await assert.rejects(start('n1', new Watch(), [at(n1)]), NameInUseError);
  assert.equal(n1.members().find((one) => one.name === 'n2')?.bootId, n2.members()[0]?.bootId);
  for (const one of [n1, n2]) await stop(one);
});

test('the holder of a name logs once that another node claims it, with the address of that node', async () => {
  const [w1, w2] = [new Watch(), new Watch()];
  const n1 = await start('n1', w1, []);
  const n2 = await start('n2', w2, [at(n1)]);
  const port = await freePort();
  for (let attempt = 0; attempt < 2; attempt++) {
    await assert.rejects(start('n2', new Watch(), [at(n1)], { port }), NameInUseError);
  }
  assert.deepEqual(w2.warnings, ['another node with our name was refused']);
  assert.deepEqual(w2.fields, [
    {
      name: 'n2',
      address: `127.0.0.1:${port}`,
      hint: 'it runs on this box, too: stop it, or give it another -nid',
    },
  ]);
  assert.deepEqual(w1.warnings, []);
  for (const one of [n1, n2]) await stop(one);
});

test('a datagram longer than any of the protocol is dropped before its MAC is computed', async () => {
  const node = await start('n1', new Watch(), []);
  const sealed = (bytes: number): Buffer => {
    const end = bytes - ENVELOPE_TAG_BYTES;
    assert.ok(end > ENVELOPE_HEADER_BYTES);
    return new Sealer(ring.gossip, 99n, false).seal(Buffer.alloc(bytes), end);
  };
  const stranger = dgram.createSocket('udp4');
  for (const bytes of [1501, 60_000, 1500]) {
    stranger.send(sealed(bytes), node.local.port, '127.0.0.1');
  }
  while (node.counters.received < 3) await new Promise((resolve) => setImmediate(resolve));
  const { tooLong, malformed, sent } = node.counters;
  assert.deepEqual({ tooLong, malformed, sent }, { tooLong: 2, malformed: 1, sent: 0 });
  stranger.close();
  await stop(node);
});

test('a node with another token finds no member, gets no answer, and is counted', async () => {
  const [w1, w2] = [new Watch(), new Watch()];
  const n1 = await start('n1', w1, []);
  const stranger = await start('n2', w2, [at(n1)], { ring: others });
  assert.ok(n1.counters.unknownKey > 0);
  assert.equal(n1.counters.sent, 0);
  assert.equal(stranger.members().length, 1);
  for (const one of [n1, stranger]) await stop(one);
});

test('a box whose disk, or data folder, is a copy of another one is refused as such, and both sides know', async () => {
  const metadata = { syncPort: 7947, version: '0.1.0', machine: '0011223344556677' };
  const watch = new Watch();
  // One address of loopback that is on no interface: to a node it is another machine.
  const bind = '127.0.0.2';
  const holder = await start('n1', watch, [], { metadata, bind });
  const seeds = [{ host: bind, port: holder.local.port }];
  const copy = { metadata, bind: '127.0.0.3' };
  await assert.rejects(
    start('n1', new Watch(), seeds, copy),
    (error) => error instanceof NameInUseError && error.kind === 'copy',
  );
  assert.match(
    String((watch.fields[0] as { hint?: string }).hint),
    /^its disk is a copy of the one of this box, or it runs in a container .*; there set/,
  );
  const { endpoint, kind, isHolder } = holder.nameRival ?? {};
  assert.deepEqual([endpoint?.address, kind, isHolder], ['127.0.0.3', 'copy', false]);
  const other = { metadata: { ...metadata, machine: '8899aabbccddeeff' }, bind: '127.0.0.4' };
  await assert.rejects(
    start('n1', new Watch(), seeds, other),
    (error) => error instanceof NameInUseError && error.kind === 'other',
  );
  await assert.rejects(
    start('n1', new Watch(), seeds, { ...other, isFolderMoved: true }),
    (error) =>
      error instanceof NameInUseError &&
      error.message.endsWith(', and the data folder of this box comes from another machine') &&
      /empty the folder of -data/.test(error.cure),
  );
  await stop(holder);
});

test('a seed may be a host name, and one that does not resolve does no harm', async () => {
  const [w1, w2] = [new Watch(), new Watch()];
  const n1 = await start('n1', w1, []);
  const seeds = [
    { host: 'nowhere.invalid', port: 7946 },
    { host: 'localhost', port: n1.local.port },
  ];
  const n2 = await start('n2', w2, seeds);
  await w2.until(() => w2.names() === 'n1');
  await w2.until(() => w2.warnings.length > 0);
  assert.match(w2.warnings[0]!, /seed not resolved/);
  for (const one of [n1, n2]) await stop(one);
});

test('a cluster on IPv6', { skip: hasIpv6 ? false : 'no IPv6 here' }, async () => {
  const [w1, w2] = [new Watch(), new Watch()];
  const n1 = await start('n1', w1, [], { bind: '::1' });
  const n2 = await start('n2', w2, [{ host: '::1', port: n1.local.port }], { bind: '::1' });
  await Promise.all([w1.until(() => w1.names() === 'n2'), w2.until(() => w2.names() === 'n1')]);
  assert.deepEqual(w1.peers[0]?.endpoint, { address: '::1', port: 7947 });
  for (const one of [n1, n2]) await stop(one);
});

test('the others use the advertised address, whatever address they observe', async () => {
  const [w1, w2] = [new Watch(), new Watch()];
  const n1 = await start('n1', w1, []);
  const advertise = { address: '127.0.0.77' };
  const n2 = await start('n2', w2, [at(n1)], { advertise });
  await w1.until(() => w1.names() === 'n2');
  assert.equal(w1.peers[0]?.endpoint.address, '127.0.0.77');
  for (const one of [n1, n2]) await stop(one);
});

test('after the event loop stalled for five periods no member is suspected', async () => {
  const [w1, w2] = [new Watch(), new Watch()];
  const n1 = await start('n1', w1, []);
  const n2 = await start('n2', w2, [at(n1)]);
  await w1.until(() => w1.names() === 'n2');
  const end = performance.now() + 5 * TIMING_PRESETS.local.periodMs;
  while (performance.now() < end);
  // Two rounds later: in each one either node receives a ping and an ack.
  for (const one of [n1, n2]) {
    const goal = one.counters.received + 4;
    while (one.counters.received < goal) await new Promise((next) => setImmediate(next));
  }
  assert.deepEqual([...w1.warnings, ...w2.warnings], []);
  assert.ok(n1.counters.voidRounds > 0);
  for (const one of [n1, n2]) await stop(one);
});

test('the token changes while the nodes run', async () => {
  const [w1, w2, w3] = [new Watch(), new Watch(), new Watch()];
  const n1 = await start('n1', w1, []);
  const n2 = await start('n2', w2, [at(n1)]);
  const both = await deriveKeyRing(['another token', 'a token'], 'test');
  for (const one of [n1, n2]) one.rekey(both.gossip);
  const n3 = await start('n3', w3, [at(n1)], { ring: others });
  await w3.until(() => w3.names() === 'n1,n2');
  await w2.until(() => w2.names() === 'n1,n3');
  for (const one of [n1, n2, n3]) await stop(one);
});
