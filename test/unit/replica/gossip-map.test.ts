import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterClock } from '../../../src/replica/cluster-clock.ts';
import { MapId } from '../../../src/replica/codec.ts';
import { GossipMap } from '../../../src/replica/gossip-map.ts';
import { Replication } from '../../../src/replica/replication.ts';

const BYTES_MAX = 1100;

interface Station {
  readonly replication: Replication;
  readonly map: GossipMap;
  /** Keys that other nodes changed here, with their values. */
  readonly changes: string[];
}

/** Nodes that deliver at once, except for messages for which `loses` is true. */
class Cluster {
  now = 0;
  loses: (bytes: Buffer) => boolean = () => false;
  readonly stations = new Map<bigint, Station>();

  constructor(size: number) {
    const ids = Array.from({ length: size }, (_, n) => BigInt(n + 1));
    for (const id of ids) this.stations.set(id, this.#station(id));
    for (const [id, { replication }] of this.stations) {
      replication.setMembers(
        ids.filter((other) => other !== id),
        0,
      );
    }
  }

  get(id: bigint): Station {
    return this.stations.get(id)!;
  }

  /** Every node hears the state of every other one, and does what is due. */
  pass(ms: number): void {
    const end = this.now + ms;
    for (; this.now < end; this.now += 10) {
      for (const { replication } of this.stations.values()) replication.advance(this.now);
      if (this.now % 1000 !== 0) continue;
      for (const [id, { replication }] of this.stations) {
        for (const [other, station] of this.stations) {
          if (other === id) continue;
          station.replication.handleState(id, replication.state(this.now), this.now);
        }
      }
    }
  }

  #station(id: bigint): Station {
    const clock = new ClusterClock(0, 1000);
    const replication = new Replication(clock);
    const changes: string[] = [];
    const map = new GossipMap(
      {
        id: MapId.clients,
        writer: id,
        messageBytesMax: BYTES_MAX,
        registersMax: 1000,
        tombstoneMs: 60_000,
      },
      clock,
      {
        send: (to, bytes) => {
          assert.ok(bytes.length <= BYTES_MAX);
          if (!this.loses(bytes)) this.get(to).replication.handleMessage(id, bytes, this.now);
        },
        changed: (key, value) => changes.push(`${key}=${value ?? ''}`),
      },
      0,
    );
    replication.add(MapId.clients, map);
    return { replication, map, changes };
  }
}

test('a write reaches all members at once, in messages of the allowed size', () => {
  const cluster = new Cluster(3);
  const { map } = cluster.get(1n);
  for (let n = 0; n < 100; n++) map.write(`client-${n}`, Buffer.from('x'.repeat(50)), 0);
  map.flush();
  for (const id of [2n, 3n]) assert.equal(cluster.get(id).changes.length, 100);
});

test('what the network lost is repaired', () => {
  const cluster = new Cluster(3);
  cluster.pass(100);
  cluster.loses = () => true;
  cluster.get(1n).map.write('a', Buffer.from('1'), cluster.now);
  cluster.get(2n).map.write('b', Buffer.from('2'), cluster.now);
  for (const id of [1n, 2n]) cluster.get(id).map.flush();
  cluster.loses = () => false;
  cluster.pass(5000);
  for (const { map, replication } of cluster.stations.values()) {
    assert.equal(map.get('a')?.toString(), '1');
    assert.equal(map.get('b')?.toString(), '2');
    assert.deepEqual(
      replication.state(cluster.now),
      cluster.get(1n).replication.state(cluster.now),
    );
  }
});

test('a value that does not fit into a message is refused, and nothing is sent', () => {
  const cluster = new Cluster(2);
  const { map } = cluster.get(1n);
  assert.equal(map.write('a', Buffer.alloc(BYTES_MAX), 0), false);
  map.flush();
  assert.deepEqual(cluster.get(2n).changes, []);
});

test('messages that make no sense are counted and change nothing', () => {
  const cluster = new Cluster(2);
  const { replication, map } = cluster.get(2n);
  for (const bytes of ['', '02', '0209', '02030000', 'ff01000000000001']) {
    replication.handleMessage(1n, Buffer.from(bytes, 'hex'), 0);
  }
  replication.handleState(1n, Buffer.from('00', 'hex'), 0);
  assert.equal(replication.malformed, 6);
  assert.equal([...map.entries()].length, 0);
});
