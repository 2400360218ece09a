// What one node with the token can do to the others, on the virtual networks of the tests: how long a node
// stays out or silent after a lie about it, and what reaches a bystander at whose address 4096 invented
// members are.
//   node --import tsx test/attack/insider.ts

import type { Peer } from '../../src/shared/peer.ts';
import { BodyWriter } from '../../src/swim/codec.ts';
import { dataBody, forgedDatagram } from '../support/forged-datagram.ts';
import { LossyNetwork, welcomedPair } from '../support/lossy-network.ts';
import { type SimNode, Simulator, settledCluster } from '../support/simulator.ts';
import { publishPacket, syncKeys } from '../support/sync-fixtures.ts';

const PATIENCE_MS = 600_000;
const COUNTER_MAX = 2 ** 53 - 1;
const GHOSTS = 4096;
const GHOST_RECORD_BYTES = 60;
const keys = await syncKeys('token');

function show(what: string, result: string): void {
  process.stdout.write(`${what.padEnd(68)} ${result}\n`);
}

function showSilence(what: string, ms: number): void {
  show(what, ms >= PATIENCE_MS ? 'for ever' : `${(ms / 1000).toFixed(1)} s`);
}

/** @returns how long `about` is not an online member that speaks to `victim`, ms */
function timeOut(lie: (sim: Simulator, nodes: SimNode[]) => void): number {
  const sim = new Simulator(1);
  sim.isHostile = true;
  const nodes = settledCluster(sim, 3);
  const [victim, about] = nodes as [SimNode, SimNode];
  lie(sim, nodes);
  const startedAt = sim.now;
  let badUntil = startedAt;
  while (sim.now - startedAt < PATIENCE_MS && sim.now - badUntil < 60_000) {
    sim.runFor(100);
    const member = victim.swim.table.get(about.name);
    const silentMs = sim.now - (member?.link?.heardAt ?? 0);
    if (member?.state !== 'alive' || silentMs > 5000) badUntil = sim.now;
  }
  return badUntil - startedAt;
}

function sayLeft(incarnation: number): (sim: Simulator, nodes: SimNode[]) => void {
  return (sim, nodes) => {
    const [victim, { name, bootId }, liar] = nodes as [SimNode, SimNode, SimNode];
    const writer = gossip();
    writer.record({ name, bootId, incarnation, state: 'left', detail: undefined });
    liar.counter += 1;
    sim.inject(victim, liar.endpoint, liar.bootId, liar.counter, writer.finish());
  };
}

function gossip(): BodyWriter {
  const head = { kind: 'gossip', isIndirect: false, isLast: false, incarnation: 0 } as const;
  return new BodyWriter({ ...head, sequence: 0, tableHash: 0n }, 1160);
}

/** @returns how long messages do not arrive after one forged datagram on the sync port, ms */
function syncSilence(counter: number, sequence: number): number {
  const { network, a, b } = welcomedPair({ seed: 1 }, keys);
  network.run(5000);
  const forged = publishPacket({ topic: 't', payload: 'forged' });
  const body = dataBody(sequence, sequence, forged);
  network.inject(b.peer.endpoint.port, forgedDatagram(keys, a.peer.bootId, counter, body));
  const startedAt = network.now;
  while (network.now - startedAt < PATIENCE_MS) {
    a.publish('t', 'late');
    network.flush();
    network.run(100);
    if (b.inbox.some(({ payload }) => payload.toString() === 'late')) break;
  }
  return network.now - startedAt;
}

function bystander(): void {
  const seconds = 10;
  const network = new LossyNetwork({ seed: 1 });
  const node = network.add({ name: 'a', keys });
  const endpoint = { address: '10.0.0.1', port: 60_000 };
  const ghosts = Array.from(
    { length: GHOSTS },
    (_, i): Peer => ({ name: `ghost${i}`, bootId: BigInt(1000 + i), endpoint }),
  );
  let bytes = 0;
  let dataBytes = 0;
  network.options.passes = (_from, _to, size) => {
    bytes += size;
    return false;
  };
  node.node.setPeers(ghosts, network.now);
  for (let i = 0; i < seconds * 100; i++) {
    const before = bytes;
    node.publish('t', 'x'.repeat(1000));
    network.flush();
    dataBytes += bytes - before;
    network.run(10);
  }
  const spent = GHOSTS * GHOST_RECORD_BYTES;
  show(
    `${GHOSTS} invented members, 100 messages/s of 1 KB, ${seconds} s: bytes at the bystander`,
    `${(bytes / 1e6).toFixed(1)} MB (${(dataBytes / 1e6).toFixed(1)} MB of messages), ` +
      `${Math.round(bytes / spent)} times what the insider sent`,
  );
}

showSilence('gossip: "n2 left, incarnation 2^32-1"', timeOut(sayLeft(2 ** 32 - 1)));
showSilence('gossip: "n2 left, incarnation 2^31-1"', timeOut(sayLeft(2 ** 31 - 1)));
showSilence(
  'gossip: a counter of 2^53-1 in the name of n2',
  timeOut((sim, [victim, about]) => {
    sim.inject(victim!, about!.endpoint, about!.bootId, COUNTER_MAX, gossip().finish());
  }),
);
showSilence('sync: a counter of 2^53-1 in the name of n2', syncSilence(COUNTER_MAX, 1));
showSilence('sync: a sequence of 2^48-2 in the name of n2', syncSilence(500, 2 ** 48 - 2));
bystander();
