// Several brokers in one process that serve shared groups together, on a virtual clock and a network that
// delays. Membership is modelled: the others see that a node is offline some time after it died.

import { ClusterClock } from '../../src/replica/cluster-clock.ts';
import { MapId } from '../../src/replica/codec.ts';
import { GroupTable } from '../../src/replica/group-table.ts';
import { Replication } from '../../src/replica/replication.ts';
import { bootSeed } from '../../src/shared/boot-seed.ts';
import { EventHeap } from './event-heap.ts';
import { type TestClient, World } from './mqtt-world.ts';
import { type Random, seededRandom } from './random.ts';
import { payloadOf, publishPacket, viewOf } from './sync-fixtures.ts';

const TICK_MS = 20;
const PING_MS = 1000;
const BYTES_MAX = 1100;

export class GroupNode {
  readonly bootId: bigint;
  readonly world = new World();
  readonly replication: Replication;
  readonly table: GroupTable;
  isRunning = true;
  /** Members that this node sees online. */
  members: readonly GroupNode[] = [];
  readonly #cluster: GroupCluster;
  #forwarded = 0;
  #isFlushDue = false;

  constructor(cluster: GroupCluster, bootId: bigint) {
    this.#cluster = cluster;
    this.bootId = bootId;
    this.world.now = cluster.now;
    const clock = new ClusterClock(cluster.now, 1000);
    this.replication = new Replication(clock);
    this.table = new GroupTable({
      bootId,
      clock,
      now: cluster.now,
      messageBytesMax: BYTES_MAX,
      send: (to, bytes) => cluster.sendGossip(this, to, bytes),
      flushDue: () => this.#flushAtTurnEnd(),
      refused: () => undefined,
    });
    this.replication.add(MapId.groups, this.table);
    const { broker } = this.world;
    broker.onDeferred = () =>
      this.#cluster.at(0, this, () => broker.runDeferred(this.#cluster.now));
    broker.seed = bootSeed(bootId);
    broker.groupSharing = {
      open: (name, filter, members) => this.table.open(name, filter, members),
    };
    broker.forwarder = this.#forwarder();
  }

  see(members: readonly GroupNode[]): void {
    this.members = members;
    this.replication.setMembers(
      members.map((member) => member.bootId),
      this.#cluster.now,
    );
  }

  #forwarder(): World['broker']['forwarder'] {
    const node = this;
    return {
      get lastNumber() {
        return node.#forwarded;
      },
      forward: (view, topic) => {
        if (node.members.length === 0) return 'noPeers';
        const number = ++node.#forwarded;
        const { retain, qos } = view;
        const fields = { topic: topic.toString(), payload: Buffer.from(payloadOf(view)) };
        const packet = publishPacket({ ...fields, retain, qos });
        for (const member of node.members) {
          node.#cluster.send(node, member, 'sync', () => {
            const sender = { seed: bootSeed(node.bootId) };
            const { now } = node.#cluster;
            member.world.broker.publishFromPeer(viewOf(packet), now, sender, number);
          });
        }
        return 'forwarded';
      },
    };
  }

  #flushAtTurnEnd(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.#cluster.at(0, this, () => this.#flush());
  }

  #flush(): void {
    this.#isFlushDue = false;
    const { now } = this.#cluster;
    const next = this.table.flush(now);
    if (next !== Number.POSITIVE_INFINITY) {
      this.#cluster.at(next - now, this, () => this.#flush());
    }
  }
}

export class GroupCluster {
  now = 10_000;
  /** Of a message between nodes, ms: at least, at most. */
  delayMs: readonly [number, number] = [0.2, 2];
  readonly nodes: GroupNode[];
  readonly random: Random;
  readonly #events = new EventHeap();
  /** When the last message of a link arrives: none overtakes another. */
  readonly #arrivals = new Map<string, number>();

  constructor(size: number, seed = 1) {
    this.random = seededRandom(seed);
    this.nodes = Array.from({ length: size }, (_, n) => {
      return new GroupNode(this, BigInt(Math.floor(seededRandom(n + 100)() * 2 ** 52)));
    });
    for (const node of this.nodes) node.see(this.nodes.filter((other) => other !== node));
    this.#tick();
  }

  /** A member of the group `jobs` on the filter `job/#`. */
  worker(node: GroupNode, clientId: string, expirySeconds = 0): TestClient {
    const properties = { sessionExpiryInterval: expirySeconds };
    const client = node.world.connect(clientId, { clean: expirySeconds === 0, properties });
    client.subscribe([{ filter: '$share/jobs/job/#', qos: 1 }]);
    return client;
  }

  at(ms: number, node: GroupNode, run: () => void): void {
    this.#events.push(this.now + ms, () => {
      node.world.now = this.now;
      if (node.isRunning) run();
    });
  }

  send(from: GroupNode, to: GroupNode, channel: 'sync' | 'gossip', run: () => void): void {
    const [least, most] = this.delayMs;
    const link = `${channel} ${from.bootId} ${to.bootId}`;
    const wanted = this.now + least + this.random() * (most - least);
    const arrival = Math.max(wanted, this.#arrivals.get(link) ?? 0);
    this.#arrivals.set(link, arrival);
    this.at(arrival - this.now, to, run);
  }

  sendGossip(from: GroupNode, to: bigint, bytes: Buffer): void {
    const member = this.nodes.find((node) => node.bootId === to);
    if (member === undefined) return;
    this.send(from, member, 'gossip', () => {
      member.replication.handleMessage(from.bootId, bytes, this.now);
    });
  }

  /** Runs all events of this time. */
  pass(ms: number): void {
    this.#events.runUntil(this.now + ms, this);
    for (const { world } of this.nodes) world.now = this.now;
  }

  /** The node dies; the others see it offline later. */
  kill(node: GroupNode, detectedMs: number): void {
    node.isRunning = false;
    for (const other of this.nodes) {
      if (!other.isRunning) continue;
      this.at(detectedMs, other, () => other.see(other.members.filter((one) => one !== node)));
    }
  }

  #tick(): void {
    this.#events.push(this.now + TICK_MS, () => this.#tick());
    const isPing = Math.round(this.now) % PING_MS < TICK_MS;
    for (const node of this.nodes) {
      if (!node.isRunning) continue;
      node.replication.advance(this.now);
      if (!isPing) continue;
      const state = node.replication.state(this.now);
      for (const member of node.members) {
        this.send(node, member, 'gossip', () => {
          member.replication.handleState(node.bootId, state, this.now);
        });
      }
    }
  }
}
