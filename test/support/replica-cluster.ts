// A cluster of replicas in one process, on a virtual clock and a network that loses, doubles, delays and
// cuts. Membership is modelled: a node sees others come and go some time after they do. What a
// user of the map would notice is recorded: the versions that each node sees of each key, and when
// each write was really made.

import assert from 'node:assert/strict';
import { ClusterClock } from '../../src/replica/cluster-clock.ts';
import type { DigestEntry } from '../../src/replica/register-map.ts';
import type { LogRange, Request } from '../../src/replica/repair-port.ts';
import { Replica } from '../../src/replica/replica.ts';
import { isNewer } from '../../src/replica/version.ts';
import type { Stamp } from '../../src/shared/stamp.ts';
import { EventHeap } from './event-heap.ts';
import { seededRandom } from './random.ts';

const PING_MS = 1000;
const BLOCK_BYTES = 1200;
const STALE_MS = 500;
const TOMBSTONE_MS = 24 * 3_600_000;

/** A register on the wire. */
export interface Entry {
  readonly key: string;
  readonly stamp: Stamp;
  /** Undefined: cleared. */
  readonly value: string | undefined;
}

export interface Write extends Entry {
  /** True simulated time, ms. */
  readonly at: number;
  /** Its time is that of the cluster. */
  readonly isTimed: boolean;
  /** The time of its node was slow, and is corrected as long as the node runs. */
  isCorrected: boolean;
  /** Names and boots of the nodes that know of it. */
  readonly seenBy: Set<ReplicaNode>;
}

/** What a box keeps on its disk. */
interface Disk {
  readonly entries: readonly Entry[];
  readonly known: readonly DigestEntry[];
  readonly time: number;
}

interface Block {
  readonly requestId: number;
  readonly range: LogRange;
  readonly isLast: boolean;
  readonly entries: readonly Entry[];
}

export class ReplicaNode {
  readonly box: number;
  readonly bootId: bigint;
  readonly replica: Replica;
  readonly clock: ClusterClock;
  readonly values = new Map<string, string>();
  isRunning = true;
  isStalled = false;
  /** Its clock is the cluster's: a node that has just started has to hear it first. */
  hasClusterTime = false;
  hasMet = false;
  /** Members as this node sees them. */
  members: ReplicaNode[] = [];
  readonly waiting: (() => void)[] = [];
  readonly #cluster: ReplicaCluster;

  constructor(
    cluster: ReplicaCluster,
    box: number,
    bootId: bigint,
    wallClock: number,
    disk?: Disk,
  ) {
    this.#cluster = cluster;
    this.box = box;
    this.bootId = bootId;
    this.clock = new ClusterClock(cluster.now, Math.max(wallClock, disk?.time ?? 0));
    this.replica = new Replica(
      { writer: bootId, registersMax: 100_000, tombstoneMs: TOMBSTONE_MS },
      this.clock,
      {
        sendDigest: (to, entries) =>
          this.#send(to, (node) => node.replica.handleDigest(bootId, entries, cluster.now)),
        sendRequest: (to, request: Request) =>
          this.#send(to, (node) => node.replica.handleRequest(bootId, request, cluster.now)),
        sendBlock: (to, { registers, ...head }) => {
          const block = { ...head, entries: registers.map((one) => this.#entryOf(one.key, one)) };
          this.#send(to, (node) => node.#takeBlock(bootId, block));
        },
        measure: ({ key }) => 30 + key.length + (this.values.get(key)?.length ?? 0),
        blockBytes: BLOCK_BYTES,
        mayAsk: () => true,
        isReady: () => true,
      },
      cluster.now,
    );
    for (const { key, stamp, value } of disk?.entries ?? []) {
      this.replica.apply(key, stamp, value !== undefined, cluster.now);
      if (value !== undefined) this.values.set(key, value);
    }
    for (const { writer, known } of disk?.known ?? []) {
      for (const range of known) this.replica.map.cover(writer, range);
    }
  }

  /** Writes, and sends the block to all members without any guarantee. */
  write(key: string, value: string | undefined): Write {
    const register = this.replica.write(key, value !== undefined, this.#cluster.now);
    assert.ok(register);
    const { time, sequence } = register;
    const stamp = { time, sequence, writer: this.bootId };
    const write = {
      key,
      stamp,
      value,
      at: this.#cluster.now,
      isTimed: this.hasClusterTime,
      isCorrected: false,
      seenBy: new Set([this]),
    };
    this.#cluster.writes.push(write);
    this.#keep(write);
    for (const member of this.members) {
      this.#send(member.bootId, (node) => node.apply(write));
    }
    return write;
  }

  apply({ key, stamp, value }: Entry): void {
    const before = this.replica.map.get(key);
    const held = before && { time: before.time, writer: before.writer };
    const result = this.replica.apply(key, stamp, value !== undefined, this.#cluster.now);
    this.#cluster.seen(this, stamp);
    if (result === 'rewritten') this.#rewritten(before!);
    if (result !== 'newer') return;
    assert.ok(held === undefined || isNewer(stamp, held), 'an older value came after a newer one');
    this.#keep({ key, value });
  }

  /** An earlier write of this node has another version now. */
  #rewritten(before: Stamp): void {
    const { writes } = this.#cluster;
    const write = writes.find(
      ({ stamp }) => stamp.writer === before.writer && stamp.sequence === before.sequence,
    )!;
    const { time, sequence, writer } = this.replica.map.get(write.key)!;
    writes.push({ ...write, stamp: { time, sequence, writer }, seenBy: new Set([this]) });
  }

  ping(member: ReplicaNode, isAnswer: boolean): void {
    const { hash } = this.replica;
    const sentAt = this.#cluster.now;
    const time = this.clock.at(sentAt);
    this.#cluster.transmit(this, member.bootId, (node) => {
      const { now } = this.#cluster;
      // A node that was stalled reads old pings first.
      const isTrue = this.hasClusterTime && now - sentAt < STALE_MS;
      // If its clock was slow, it knows since when: what it has written counts as well.
      if (!node.hasMet && isTrue && node.clock.at(now) <= time) this.#cluster.corrects(node);
      node.hasMet = true;
      node.clock.meet(now, time);
      node.hasClusterTime ||= isTrue;
      node.replica.compare(this.bootId, hash, now);
      if (!isAnswer) node.ping(this, true);
    });
  }

  /** The state of the disk: a prefix of what was applied, as a journal keeps it. */
  save(): Disk {
    const registers = [...this.replica.map.registers()];
    return {
      entries: registers.map((register) => this.#entryOf(register.key, register)),
      known: [...this.replica.map.digest()],
      time: Math.max(0, ...registers.map(({ time }) => time)),
    };
  }

  #keep({ key, value }: Pick<Entry, 'key' | 'value'>): void {
    if (value === undefined) this.values.delete(key);
    else this.values.set(key, value);
  }

  #entryOf(
    key: string,
    { time, writer, sequence, hasValue }: Stamp & { hasValue: boolean },
  ): Entry {
    const value = hasValue ? this.values.get(key) : undefined;
    return { key, stamp: { time, writer, sequence }, value };
  }

  #takeBlock(from: bigint, block: Block): void {
    for (const entry of block.entries) this.apply(entry);
    this.replica.blockApplied(from, block, this.#cluster.now);
  }

  /** A node has its first ping or ack of a member before anything else. */
  #send(to: bigint, deliver: (node: ReplicaNode) => void): void {
    this.#cluster.transmit(this, to, (node) => {
      if (node.hasMet) deliver(node);
    });
  }
}

export class ReplicaCluster {
  readonly random: () => number;
  readonly writes: Write[] = [];
  readonly nodes: (ReplicaNode | undefined)[] = [];
  readonly disks: (Disk | undefined)[] = [];
  now = 0;
  loss = 0;
  duplication = 0;
  delayMsMax = 1;
  isCut: (from: number, to: number) => boolean = () => false;
  sent = 0;
  readonly #events = new EventHeap();
  readonly #wallClockSkews: number[] = [];
  #lastBootId = 1n;

  /** @param skews by how much each wall clock is wrong, ms; drawn for those that it has not */
  constructor(seed: number, boxes: number, skews: readonly number[] = []) {
    this.random = seededRandom(seed);
    for (let box = 0; box < boxes; box++) {
      // Some boxes have no battery: their clock begins in 1970.
      const drawn = this.random() < 0.2 ? -1e12 : this.random() * 7_200_000;
      this.#wallClockSkews.push(skews[box] ?? drawn);
      this.start(box);
    }
  }

  below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  at(time: number, run: () => void): void {
    this.#events.push(time, run);
  }

  start(box: number): void {
    this.#lastBootId += BigInt(1 + this.below(1_000_000));
    const wallClock = Math.max(0, 1e12 + this.now + this.#wallClockSkews[box]!);
    const node = new ReplicaNode(this, box, this.#lastBootId, wallClock, this.disks[box]);
    this.nodes[box] = node;
    this.#pingLater(node, this.random() * PING_MS);
    this.#wake(node);
  }

  stop(box: number): void {
    const node = this.nodes[box];
    if (node !== undefined) node.isRunning = false;
    this.nodes[box] = undefined;
  }

  /** Recomputes who sees whom; called some time after the network changed. */
  updateMembers(): void {
    for (const node of this.running()) {
      node.members = this.running().filter(
        (other) =>
          other !== node && !this.isCut(node.box, other.box) && !this.isCut(other.box, node.box),
      );
      node.replica.setMembers(
        node.members.map(({ bootId }) => bootId),
        this.now,
      );
      this.#wake(node);
    }
  }

  running(): ReplicaNode[] {
    return this.nodes.filter((node) => node !== undefined);
  }

  transmit(from: ReplicaNode, to: bigint, deliver: (node: ReplicaNode) => void): void {
    this.sent += 1;
    if (this.random() < this.loss) return;
    const copies = this.random() < this.duplication ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      this.at(this.now + 0.2 + this.random() * this.delayMsMax, () => {
        const node = this.running().find(({ bootId }) => bootId === to);
        if (node === undefined || this.isCut(from.box, node.box)) return;
        this.#run(node, () => deliver(node));
      });
    }
  }

  runFor(ms: number): void {
    this.#events.runUntil(this.now + ms, this);
  }

  /** @returns the time it took, undefined where it was not enough */
  runUntilEqual(msMax: number): number | undefined {
    const begin = this.now;
    while (this.now - begin <= msMax) {
      if (this.areEqual()) return this.now - begin;
      this.runFor(50);
    }
    return undefined;
  }

  areEqual(): boolean {
    const [first, ...others] = this.running();
    return others.every(({ replica }) => replica.map.valuesHash === first!.replica.map.valuesHash);
  }

  seen(node: ReplicaNode, { writer, sequence }: Stamp): void {
    const write = this.writes.find(
      ({ stamp }) => stamp.writer === writer && stamp.sequence === sequence,
    );
    write?.seenBy.add(node);
  }

  /** From now on the node corrects the times of what it has written. */
  corrects(node: ReplicaNode): void {
    for (const write of this.writes) write.isCorrected ||= write.stamp.writer === node.bootId;
  }

  resume(node: ReplicaNode): void {
    node.isStalled = false;
    for (const work of node.waiting.splice(0)) work();
    this.#wake(node);
  }

  #run(node: ReplicaNode, work: () => void): void {
    if (!node.isRunning) return;
    if (node.isStalled) {
      if (node.waiting.length < 500) node.waiting.push(work);
      return;
    }
    work();
    this.#wake(node);
  }

  #wake(node: ReplicaNode): void {
    const { deadline } = node.replica;
    if (deadline === Number.POSITIVE_INFINITY) return;
    this.at(Math.max(deadline, this.now), () => {
      if (!node.isRunning || node.isStalled || node.replica.deadline > this.now) return;
      node.replica.advance(this.now);
      this.#wake(node);
    });
  }

  #pingLater(node: ReplicaNode, delayMs: number): void {
    this.at(this.now + delayMs, () => {
      if (!node.isRunning) return;
      const member = node.members[this.below(node.members.length)];
      if (member !== undefined && !node.isStalled) node.ping(member, false);
      this.#pingLater(node, PING_MS);
    });
  }
}
