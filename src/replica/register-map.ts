// A replicated map of last-writer-wins registers as one node holds it. Knows no peers and no bytes:
// writes of this node and of others come in, and it says which of them are news.
// Invariants: of two writes of a key the one with the newer version is kept, in whatever order they
// arrive; a writer's sequence numbers are covered once their writes were seen here or were replaced.
// Source: Scuttlebutt reconciliation (van Renesse et al. 2008).

import type { Stamp } from '../shared/stamp.ts';
import { textBytes } from '../shared/text-bytes.ts';
import type { Range } from './coverage.ts';
import { Register } from './register.ts';
import { StateHash } from './state-hash.ts';
import { isNewer } from './version.ts';
import { WriterLog } from './writer-log.ts';

/** How much a node knows of one writer's log. */
export interface DigestEntry {
  readonly writer: bigint;
  /** Ascending; the first begins with 1 unless even the first write is missing. */
  readonly known: readonly Range[];
}

/**
 * `newer`: kept. `same`: known already. `older`: a newer write of the key is known. `rewritten`: it was older than a
 * write of this node, which has a new version now. `full`: no room.
 */
export type ApplyResult = 'newer' | 'same' | 'older' | 'rewritten' | 'full';

export interface RegisterMapLimits {
  /** Cleared registers included. */
  readonly registersMax: number;
  /** Memory of all registers; with more there is no room for another key. Default: no bound. */
  readonly bytesMax?: number;
  /** Memory of the cleared ones among them, likewise. */
  readonly clearedBytesMax?: number;
}

/** All in ms. */
export interface ExpiryTimes {
  readonly clusterTime: number;
  /** Of a clock that never goes back and never jumps. */
  readonly now: number;
  readonly tombstoneMs: number;
}

/** What a register takes besides its key, and a cleared one more: test/unit/replica/register-memory.test.ts measures it. */
const REGISTER_BYTES = 250;
const CLEARED_BYTES = 150;

export class RegisterMap {
  readonly #limits: RegisterMapLimits;
  readonly #own: WriterLog;
  readonly #registers = new Map<string, Register>();
  readonly #logs = new Map<bigint, WriterLog>();
  /** Over keys and versions of the registers that have a value. */
  readonly #values = new StateHash();
  #tombstones = 0;
  /** When a pass of expire() first found each tombstone, ms of the monotonic clock. */
  #foundAt = new Map<Register, number>();
  /** Memory of the registers, and of what their owner keeps of them. */
  #bytes = 0;
  /** Memory of the tombstones. */
  #clearedBytes = 0;
  /** Undefined after a change: every ping asks for it, while most of them meet the same state. */
  #digestHash: number | undefined;

  readonly #corrected: (time: number) => number;

  /**
   * @param writer boot id of this node
   * @param corrected the right time of a write of this node; see ClusterClock
   */
  constructor(
    writer: bigint,
    limits: RegisterMapLimits,
    corrected: (time: number) => number = (time) => time,
  ) {
    this.#limits = limits;
    this.#corrected = corrected;
    this.#own = new WriterLog(writer);
    this.#logs.set(writer, this.#own);
  }

  get writer(): bigint {
    return this.#own.writer;
  }

  /** Registers, cleared ones included. */
  get size(): number {
    return this.#registers.size;
  }

  get tombstones(): number {
    return this.#tombstones;
  }

  /** Memory of all registers, and of the cleared ones. */
  get memory(): { readonly bytes: number; readonly clearedBytes: number } {
    return { bytes: this.#bytes, clearedBytes: this.#clearedBytes };
  }

  /** The owner of the map keeps so much more for its registers, or less. */
  charge(bytes: number): void {
    this.#bytes += bytes;
  }

  get(key: string): Register | undefined {
    return this.#registers.get(key);
  }

  registers(): Iterable<Register> {
    return this.#registers.values();
  }

  /**
   * A write of this node: newer than whatever it knows of the key.
   * @param time cluster time, ms
   * @returns undefined where there is no room for another key
   */
  write(key: string, hasValue: boolean, time: number): Register | undefined {
    const held = this.#registers.get(key);
    if (held === undefined && this.#isFull) return undefined;
    const sequence = this.#own.coverage.position + 1;
    this.#digestHash = undefined;
    const later = held === undefined ? time : Math.max(time, held.time + 1);
    const register = new Register(key, this.#own, later, sequence, hasValue);
    this.#own.coverage.cover(sequence, sequence);
    this.#replace(held, register);
    return register;
  }

  /** A write of another node. It is covered whether it is news or not, or it would be sent for ever. */
  apply(key: string, stamp: Stamp, hasValue: boolean): ApplyResult {
    const held = this.#registers.get(key);
    const { writer, sequence, time } = stamp;
    const log = this.#logOf(writer);
    this.#digestHash = undefined;
    log.coverage.cover(sequence, sequence);
    if (held === undefined && this.#isFull) {
      log.refuse(sequence);
      return 'full';
    }
    if (held !== undefined && !isNewer(stamp, held)) {
      return held.time === time && held.writer === writer ? 'same' : 'older';
    }
    if (held?.log === this.#own) {
      const written = this.#corrected(held.time);
      if (written > time) {
        this.write(key, held.hasValue, written);
        return 'rewritten';
      }
    }
    this.#replace(held, new Register(key, log, time, sequence, hasValue));
    return 'newer';
  }

  /** Of every write in the range, this one or a newer one of its key was seen here. */
  cover(writer: bigint, { from, to }: Range): void {
    if (writer === this.writer) return;
    this.#digestHash = undefined;
    this.#logOf(writer).coverage.cover(from, to);
  }

  /** The value has expired: the register stays, so that no older value comes back. */
  dropValue(register: Register): void {
    if (!register.hasValue) return;
    this.#values.toggle(register.key, register.time, register.writer);
    register.hasValue = false;
    this.#countCleared(register, 1);
  }

  /**
   * One pass over the map: forgets registers that have been cleared for the time of a tombstone, by the cluster's
   * clock and by that of this node, and writers of which nothing is left. The cluster's clock alone makes a tombstone
   * old at once when it catches up, before the other nodes have heard of it.
   * Yields after each, so that the caller can pause; the map may change meanwhile.
   * @param isOnline writers whose position is kept
   * @returns the keys that were forgotten, undefined for a step that forgot none
   */
  *expire(
    { clusterTime, now, tombstoneMs }: ExpiryTimes,
    isOnline: (writer: bigint) => boolean,
  ): Generator<string | undefined, void> {
    const foundAt = new Map<Register, number>();
    for (const register of this.#registers.values()) {
      const since = register.hasValue ? undefined : (this.#foundAt.get(register) ?? now);
      const isOld = since !== undefined && now - since >= tombstoneMs;
      const isForgotten = isOld && register.time < clusterTime - tombstoneMs;
      if (isForgotten) this.#remove(register);
      else if (since !== undefined) foundAt.set(register, since);
      yield isForgotten ? register.key : undefined;
    }
    this.#foundAt = foundAt;
    for (const [writer, log] of this.#logs) {
      if (log.count === 0 && log !== this.#own && !isOnline(writer)) this.#logs.delete(writer);
      yield undefined;
    }
  }

  /** Equal on two nodes that hold the same values under the same versions. */
  get valuesHash(): number {
    return this.#values.value;
  }

  /** How far this node has everything, for each writer with a current register. */
  *digest(): Generator<DigestEntry> {
    for (const log of this.#logs.values()) {
      if (log.count > 0) yield { writer: log.writer, known: [...log.known()] };
    }
  }

  /** Equal on two nodes whose digests are. */
  get digestHash(): number {
    if (this.#digestHash !== undefined) return this.#digestHash;
    const hash = new StateHash();
    for (const { writer, known } of this.digest()) {
      for (const { from, to } of known) hash.toggle(String(from), to, writer);
    }
    this.#digestHash = hash.value;
    return hash.value;
  }

  log(writer: bigint): WriterLog | undefined {
    return this.#logs.get(writer);
  }

  get #isFull(): boolean {
    const unlimited = Number.POSITIVE_INFINITY;
    const { registersMax, bytesMax = unlimited, clearedBytesMax = unlimited } = this.#limits;
    if (this.#registers.size >= registersMax || this.#bytes >= bytesMax) return true;
    return this.#clearedBytes >= clearedBytesMax;
  }

  #countCleared({ key }: Register, change: 1 | -1): void {
    this.#tombstones += change;
    this.#bytes += change * CLEARED_BYTES;
    this.#clearedBytes += change * (REGISTER_BYTES + CLEARED_BYTES + textBytes(key));
  }

  #logOf(writer: bigint): WriterLog {
    let log = this.#logs.get(writer);
    if (log === undefined) {
      log = new WriterLog(writer);
      this.#logs.set(writer, log);
    }
    return log;
  }

  #replace(held: Register | undefined, register: Register): void {
    if (held === undefined) this.#bytes += REGISTER_BYTES + textBytes(register.key);
    else this.#unlink(held);
    this.#registers.set(register.key, register);
    register.log.insert(register);
    if (register.hasValue) this.#values.toggle(register.key, register.time, register.writer);
    else this.#countCleared(register, 1);
  }

  #remove(register: Register): void {
    this.#unlink(register);
    this.#bytes -= REGISTER_BYTES + textBytes(register.key);
    this.#registers.delete(register.key);
  }

  #unlink(register: Register): void {
    this.#digestHash = undefined;
    register.log.remove(register);
    if (register.hasValue) this.#values.toggle(register.key, register.time, register.writer);
    else this.#countCleared(register, -1);
  }
}
