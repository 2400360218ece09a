// All replicated maps of this node, with the clock that they share: what goes into pings, and which
// map a message of a member is for. A map whose blocks don't travel by gossip has no handleBlock.
// Invariant: nothing that a member sends throws or changes anything but the maps.

import type { ClusterClock } from './cluster-clock.ts';
import {
  type BlockMessage,
  decodeReplicaMessage,
  decodeState,
  encodeState,
  mapOf,
} from './codec.ts';
import { DigestAssembler } from './digest-assembler.ts';
import type { Replica } from './replica.ts';

export interface ReplicatedMap {
  readonly replica: Replica;
  handleBlock?(member: bigint, block: BlockMessage, now: number): void;
  setMembers(members: readonly bigint[], now: number): void;
}

export class Replication {
  readonly clock: ClusterClock;
  /** Messages and states that are malformed, or for a map that is off here. */
  malformed = 0;
  readonly #maps = new Map<number, ReplicatedMap>();
  readonly #assemblers = new Map<number, DigestAssembler>();

  constructor(clock: ClusterClock) {
    this.clock = clock;
  }

  add(id: number, map: ReplicatedMap): void {
    this.#maps.set(id, map);
    this.#assemblers.set(id, new DigestAssembler());
  }

  /** What pings and acks carry. */
  state(now: number): Buffer {
    const hashes = new Map<number, number>();
    for (const [id, { replica }] of this.#maps) hashes.set(id, replica.hash);
    return encodeState({ time: this.clock.at(now), hashes });
  }

  /** A validated member's ping or ack. */
  handleState(member: bigint, bytes: Buffer, now: number): void {
    const state = decodeState(bytes);
    if (state === undefined) {
      this.malformed += 1;
      return;
    }
    this.clock.meet(now, state.time);
    for (const [id, hash] of state.hashes) this.#maps.get(id)?.replica.compare(member, hash, now);
  }

  /** @param bytes valid during the call only */
  handleMessage(member: bigint, bytes: Buffer, now: number): void {
    const id = mapOf(bytes);
    const map = this.#maps.get(id);
    const message = map && decodeReplicaMessage(bytes);
    switch (message?.kind) {
      case 'digest': {
        const entries = this.#assemblers.get(id)?.add(member, message);
        if (entries !== undefined) map?.replica.handleDigest(member, entries, now);
        break;
      }
      case 'request':
        map?.replica.handleRequest(member, message, now);
        break;
      case 'block':
        map?.handleBlock?.(member, message, now);
        break;
      default:
        this.malformed += 1;
    }
  }

  /** The members that are online now, by boot id; replaces the list. */
  setMembers(members: readonly bigint[], now: number): void {
    for (const assembler of this.#assemblers.values()) assembler.keepOnly(members);
    for (const map of this.#maps.values()) map.setMembers(members, now);
  }

  get deadline(): number {
    let deadline = Number.POSITIVE_INFINITY;
    for (const { replica } of this.#maps.values()) deadline = Math.min(deadline, replica.deadline);
    return deadline;
  }

  advance(now: number): void {
    for (const { replica } of this.#maps.values()) replica.advance(now);
  }
}
