// One replicated map of this node: its registers, what it lacks of other nodes' writes, and the answers to
// those that lack something. Time, the network and the values come from outside: the owner of the
// map keeps the values, and apply() says which of them are news.
// Invariant: when messages get through again, all members hold the same registers, whatever was lost.

import type { Stamp } from '../shared/stamp.ts';
import { AntiEntropy, type DifferingMember, type RepairCounters } from './anti-entropy.ts';
import { BlockSender } from './block-sender.ts';
import type { ClusterClock } from './cluster-clock.ts';
import { EXPIRE_INTERVAL_MS, EXPIRE_STEPS } from './limits.ts';
import type { Register } from './register.ts';
import {
  type ApplyResult,
  type DigestEntry,
  RegisterMap,
  type RegisterMapLimits,
} from './register-map.ts';
import type { LogRange, RepairPort, Request } from './repair-port.ts';

export interface ReplicaOptions extends RegisterMapLimits {
  /** Boot id of this node. */
  readonly writer: bigint;
  /** Cleared registers are kept this long, ms. */
  readonly tombstoneMs: number;
  /** A cleared key is no longer kept. */
  readonly forgotten?: (key: string) => void;
}

export class Replica {
  readonly map: RegisterMap;
  readonly #clock: ClusterClock;
  readonly #options: ReplicaOptions;
  readonly #repair: AntiEntropy;
  readonly #sender: BlockSender;
  #expiry: Iterator<string | undefined, void> | undefined;
  #expireAt: number;

  constructor(options: ReplicaOptions, clock: ClusterClock, port: RepairPort, now: number) {
    this.map = new RegisterMap(options.writer, options, (time) => clock.corrected(time));
    this.#clock = clock;
    this.#options = options;
    this.#repair = new AntiEntropy(this.map, port);
    this.#sender = new BlockSender(this.map, port);
    this.#expireAt = now + EXPIRE_INTERVAL_MS;
  }

  get counters(): Readonly<RepairCounters> {
    return this.#repair.counters;
  }

  /** Members whose state is not ours, each with the time up to which it was. */
  get differing(): readonly DifferingMember[] {
    return this.#repair.differing;
  }

  /** Goes into pings. Equal on nodes that hold the same and lack the same. An integer below 2^53. */
  get hash(): number {
    const { valuesHash, digestHash } = this.map;
    // Half of each: XOR of numbers beyond 32 bits.
    const low = ((valuesHash % 2 ** 32) ^ (digestHash % 2 ** 32)) >>> 0;
    const high = Math.floor(valuesHash / 2 ** 32) ^ Math.floor(digestHash / 2 ** 32);
    return high * 2 ** 32 + low;
  }

  /** A write of this node. @returns undefined where there is no room for another key */
  write(key: string, hasValue: boolean, now: number): Register | undefined {
    return this.map.write(key, hasValue, this.#clock.at(now));
  }

  /** A write of another node, live or out of a block. */
  apply(key: string, stamp: Stamp, hasValue: boolean, now: number): ApplyResult {
    this.#clock.adopt(now, stamp.time);
    return this.map.apply(key, stamp, hasValue);
  }

  setMembers(members: readonly bigint[], now: number): void {
    this.#repair.setMembers(members, now);
  }

  /** A ping of the member carried its hash. */
  compare(member: bigint, hash: number, now: number): void {
    this.#repair.compare(member, hash === this.hash, now);
  }

  /** @param entries the whole digest */
  handleDigest(member: bigint, entries: readonly DigestEntry[], now: number): void {
    this.#repair.handleDigest(member, entries, now);
  }

  handleRequest(member: bigint, request: Request, now: number): void {
    this.#sender.handleRequest(member, request, now);
  }

  /** All registers of a block were given to apply(). */
  blockApplied(
    member: bigint,
    block: { readonly requestId: number; readonly range: LogRange; readonly isLast: boolean },
    now: number,
  ): void {
    this.#repair.handleBlock(member, block, now);
  }

  get deadline(): number {
    return Math.min(this.#repair.deadline, this.#sender.deadline, this.#expireAt);
  }

  advance(now: number): void {
    this.#repair.advance(now);
    this.#sender.advance(now);
    if (now >= this.#expireAt) this.#expire(now);
  }

  /** In turns, as there may be very many registers. */
  #expire(now: number): void {
    const { tombstoneMs } = this.#options;
    const times = { clusterTime: this.#clock.at(now), now, tombstoneMs };
    this.#expiry ??= this.map.expire(times, (writer) => this.#repair.isMember(writer));
    for (let step = 0; step < EXPIRE_STEPS; step++) {
      const { done, value } = this.#expiry.next();
      if (done) {
        this.#expiry = undefined;
        this.#expireAt = now + EXPIRE_INTERVAL_MS;
        return;
      }
      if (value !== undefined) this.#options.forgotten?.(value);
    }
    this.#expireAt = now + 1;
  }
}
