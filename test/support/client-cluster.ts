// Several brokers in one process that agree on retained values and on where clients are, on a virtual clock.
// Membership is modelled: the nodes see a partition some time after it began, and its end.

import { ClusterClients } from '../../src/node/replication/client-directory.ts';
import { RetainedReplication } from '../../src/node/replication/retained-replication.ts';
import { ClusterClock } from '../../src/replica/cluster-clock.ts';
import { MapId } from '../../src/replica/codec.ts';
import { Replication } from '../../src/replica/replication.ts';
import { EventHeap } from './event-heap.ts';
import { World } from './mqtt-world.ts';
import { type Random, seededRandom } from './random.ts';
import { payloadOf, publishPacket, viewOf } from './sync-fixtures.ts';

const TICK_MS = 20;
const PING_MS = 1000;
const BYTES_MAX = 1100;

export class ClientNode {
  readonly name: string;
  readonly bootId: bigint;
  readonly world = new World();
  readonly clients: ClusterClients;
  readonly retained: RetainedReplication;
  readonly replication: Replication;
  /** Members that this node sees online. */
  members: readonly ClientNode[] = [];
  readonly #cluster: ClientCluster;

  constructor(cluster: ClientCluster, name: string, bootId: bigint) {
    this.#cluster = cluster;
    this.name = name;
    this.bootId = bootId;
    this.world.now = cluster.now;
    const { broker } = this.world;
    const clock = new ClusterClock(cluster.now, 1000);
    const shared = {
      bootId,
      clock,
      broker,
      now: () => cluster.now,
      send: (to: bigint, bytes: Buffer) => cluster.sendGossip(this, to, bytes),
      messageBytesMax: BYTES_MAX,
    };
    this.clients = new ClusterClients({ ...shared, nameOf: (id) => cluster.nameOf(id) });
    // The cluster calls tick() itself.
    this.clients.close();
    this.retained = new RetainedReplication({
      ...shared,
      topics: ['#'],
      registersMax: 1000,
      tombstoneMs: 86_400_000,
      store: undefined,
      watcher: this.clients.mistaken,
    });
    this.retained.use(this.#channel());
    this.replication = new Replication(clock);
    this.replication.add(MapId.retained, this.retained);
    this.replication.add(MapId.clients, this.clients);
    broker.clientDirectory = this.clients;
    broker.forwarder = this.retained;
    broker.onDeferred = () => cluster.at(0, this, () => broker.runDeferred(cluster.now));
  }

  see(members: readonly ClientNode[]): void {
    this.members = members;
    const bootIds = members.map(({ bootId }) => bootId);
    this.replication.setMembers(bootIds, this.#cluster.now);
  }

  #channel(): Parameters<RetainedReplication['use']>[0] {
    let number = 0;
    return {
      get lastNumber() {
        return number;
      },
      repairRoom: BYTES_MAX,
      publishBytesMax: 4095,
      isIdle: true,
      forward: (view, topic, _clientId, stamp) => {
        if (this.members.length === 0) return 'noPeers';
        const sent = ++number;
        const { retain, qos } = view;
        const fields = { topic: topic.toString(), payload: Buffer.from(payloadOf(view)) };
        const packet = publishPacket({ ...fields, retain, qos });
        for (const member of this.members) {
          this.#cluster.send(this, member, () => {
            const { now } = this.#cluster;
            const sender = { name: this.name, bootId: this.bootId, seed: 0 };
            member.retained.publishFromPeer(viewOf(packet), now, sender, sent, stamp);
          });
        }
        return 'forwarded';
      },
      sendRepair: (to, head, packets) => {
        const values = packets.map(({ view, topic, stamp }) => {
          const fields = { topic: topic.toString(), payload: Buffer.from(payloadOf(view)) };
          const packet = publishPacket({ ...fields, retain: true, qos: view.qos });
          const { writer, time, sequence } = stamp;
          return { packet, stamp: { writer, time, sequence } };
        });
        const member = this.members.find(({ bootId }) => bootId === to);
        if (member === undefined) return;
        this.#cluster.send(this, member, () => {
          const { now } = this.#cluster;
          for (const { packet, stamp } of values) {
            member.retained.repairFromPeer(viewOf(packet), stamp, now);
          }
          member.retained.blockFromPeer(this.bootId, head, now);
        });
      },
    };
  }
}

export class ClientCluster {
  now = 10_000;
  /** Of a message between nodes, ms: at least, at most. Messages overtake each other. */
  delayMs: readonly [number, number] = [0.2, 20];
  loss = 0;
  readonly nodes: ClientNode[];
  readonly random: Random;
  readonly #events = new EventHeap();
  #isCut: (from: ClientNode, to: ClientNode) => boolean = () => false;

  constructor(size: number, seed: number) {
    this.random = seededRandom(seed);
    this.nodes = Array.from({ length: size }, (_, n) => {
      return new ClientNode(this, `n${n + 1}`, BigInt(Math.floor(this.random() * 2 ** 52)));
    });
    this.partition();
    this.#tick();
  }

  nameOf(bootId: bigint): string {
    return this.nodes.find((node) => node.bootId === bootId)?.name ?? 'another node';
  }

  /** Cuts one side off from all others; without an argument the network is whole again. */
  partition(...side: ClientNode[]): void {
    const isCut = (from: ClientNode, to: ClientNode): boolean =>
      side.includes(from) !== side.includes(to);
    this.#isCut = isCut;
    for (const node of this.nodes) {
      this.at(side.length > 0 ? 4000 : 500 * this.random(), node, () => {
        if (this.#isCut !== isCut) return;
        node.see(this.nodes.filter((other) => other !== node && !isCut(node, other)));
      });
    }
  }

  at(ms: number, node: ClientNode, run: () => void): void {
    this.#events.push(this.now + ms, () => {
      node.world.now = this.now;
      run();
    });
  }

  send(from: ClientNode, to: ClientNode, run: () => void): void {
    if (this.#isCut(from, to) || this.random() < this.loss) return;
    const [least, most] = this.delayMs;
    this.at(least + this.random() * (most - least), to, run);
  }

  sendGossip(from: ClientNode, to: bigint, bytes: Buffer): void {
    const member = this.nodes.find((node) => node.bootId === to);
    if (member === undefined) return;
    const copy = Buffer.from(bytes);
    this.send(from, member, () => {
      member.replication.handleMessage(from.bootId, copy, this.now);
    });
  }

  pass(ms: number): void {
    this.#events.runUntil(this.now + ms, this);
    for (const { world } of this.nodes) world.now = this.now;
  }

  #tick(): void {
    this.#events.push(this.now + TICK_MS, () => this.#tick());
    const isSecond = Math.round(this.now) % PING_MS < TICK_MS;
    for (const node of this.nodes) {
      node.world.now = this.now;
      node.world.broker.advance(this.now);
      node.replication.advance(this.now);
      if (isSecond) node.clients.tick(this.now);
      node.clients.flush();
      if (!isSecond) continue;
      const state = node.replication.state(this.now);
      for (const member of node.members) {
        this.send(node, member, () => {
          member.replication.handleState(node.bootId, state, this.now);
        });
      }
    }
  }
}
