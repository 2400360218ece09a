// One shared group as all nodes serve it together: how many members each node has, and whether this node
// serves a message. Online members count; where no node has any, absent ones do, so that exactly one
// node queues the message. Members that may not receive all of the group count only where there are no
// others: their node could not deliver each message that it is chosen for.

import { fnv1a } from '../shared/fnv1a.ts';
import type { MemberCounts } from './group-register.ts';
import { hashOfMessage, type WeightedNode, WeightedNodes } from './weighted-nodes.ts';

/** Writes of one group that may follow each other at once. */
const WRITES_AT_ONCE = 4;
/** Further ones where the first member comes or the last one leaves: then jobs are at stake. */
const URGENT_WRITES = 20;
/** Afterwards, one write in this time, ms. */
const WRITE_INTERVAL_MS = 200;

/** What counts as the weight of a node: the first of which any node has some. */
const WEIGHTS = ['online', 'absent', 'onlineInPart', 'absentInPart'] as const;

/** The members of the group on this node. */
export interface LocalMembers {
  readonly size: number;
  count(): MemberCounts;
  hasOnline(): boolean;
}

/** What a group needs of the table that it is in. */
export interface ShareOwner {
  readonly bootId: bigint;
  /** Messages left to other nodes. */
  leftToOthers: number;
  /** This node too. */
  isOnline(bootId: bigint): boolean;
  changed(share: GroupShare): void;
}

export class GroupShare {
  readonly key: string;
  /** The group has members on this node; undefined otherwise. */
  members: LocalMembers | undefined;
  readonly #owner: ShareOwner;
  readonly #seed: number;
  readonly #counts = new Map<bigint, MemberCounts>();
  #nodes: WeightedNodes | undefined;
  #isWeighed = false;
  #writableAt = Number.NEGATIVE_INFINITY;

  constructor(key: string, owner: ShareOwner) {
    const bytes = Buffer.from(key, 'utf8');
    this.key = key;
    this.#seed = fnv1a(bytes, 0, bytes.length);
    this.#owner = owner;
  }

  /** No node has members. */
  get isUnused(): boolean {
    return this.members === undefined && this.#counts.size === 0;
  }

  /** Members on this node have come, left, connected or disconnected. */
  changed(): void {
    this.#owner.changed(this);
  }

  /** What other nodes know, or will soon, of the node's members. */
  countsOf(bootId: bigint): MemberCounts | undefined {
    return this.#counts.get(bootId);
  }

  /** On all nodes that are online. */
  countOnline(): number {
    let online = 0;
    for (const [bootId, counts] of this.#counts) {
      if (this.#owner.isOnline(bootId)) online += onlineOf(counts);
    }
    return online;
  }

  setCounts(bootId: bigint, counts: MemberCounts | undefined): void {
    if (counts === undefined) this.#counts.delete(bootId);
    else this.#counts.set(bootId, counts);
    this.#isWeighed = false;
  }

  /** Nodes have come online or gone offline. */
  membershipChanged(): void {
    this.#isWeighed = false;
  }

  /**
   * True if the members of this node serve the message. Where no node is known to have members, those
   * of this node have only just come.
   */
  isServedHere(origin: number, number: number): boolean {
    if (!this.#isWeighed) this.#weigh();
    const owner = this.#owner;
    if (this.#nodes === undefined) return true;
    if (this.#nodes.choose(hashOfMessage(this.#seed, origin, number)) === owner.bootId) return true;
    owner.leftToOthers += 1;
    return false;
  }

  /** When the group may be written next, ms. */
  get writableAt(): number {
    const known = this.#counts.get(this.#owner.bootId);
    const isUrgent =
      known === undefined || onlineOf(known) === 0 || this.members?.hasOnline() === false;
    return isUrgent ? this.#writableAt - URGENT_WRITES * WRITE_INTERVAL_MS : this.#writableAt;
  }

  noteWrite(now: number): void {
    const earliest = now - WRITES_AT_ONCE * WRITE_INTERVAL_MS;
    this.#writableAt = Math.max(this.#writableAt, earliest) + WRITE_INTERVAL_MS;
  }

  #weigh(): void {
    this.#isWeighed = true;
    this.#nodes = undefined;
    for (const kind of WEIGHTS) {
      const nodes = this.#weights(kind);
      if (nodes.length === 0) continue;
      this.#nodes = new WeightedNodes(nodes);
      return;
    }
  }

  #weights(kind: keyof MemberCounts): WeightedNode[] {
    const nodes: WeightedNode[] = [];
    for (const [bootId, counts] of this.#counts) {
      const weight = counts[kind];
      if (weight > 0 && this.#owner.isOnline(bootId)) nodes.push({ bootId, weight });
    }
    return nodes;
  }
}

function onlineOf({ online, onlineInPart }: MemberCounts): number {
  return online + onlineInPart;
}
