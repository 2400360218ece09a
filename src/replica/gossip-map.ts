// A replicated map whose values are small and travel on the gossip port: where clients are, what nodes
// say of themselves. Keeps the values; a write goes to all members at once, and what the network
// loses of it is repaired.

import type { Stamp } from '../shared/stamp.ts';
import type { ClusterClock } from './cluster-clock.ts';
import {
  type BlockMessage,
  blockRoom,
  encodeBlock,
  encodeDigest,
  encodeRequest,
  type RegisterEntry,
  registerBytes,
} from './codec.ts';
import type { Register } from './register.ts';
import type { RepairPort } from './repair-port.ts';
import { Replica, type ReplicaOptions } from './replica.ts';

export interface GossipMapOptions extends ReplicaOptions {
  readonly id: number;
  /** Of one message. */
  readonly messageBytesMax: number;
}

export interface GossipMapPort {
  send(member: bigint, message: Buffer): void;
  /** A newer write of another node; `value` is the map's own, undefined where the key was cleared. */
  changed(key: string, value: Buffer | undefined, stamp: Stamp): void;
}

export class GossipMap {
  readonly replica: Replica;
  readonly #options: GossipMapOptions;
  readonly #port: GossipMapPort;
  readonly #values = new Map<string, Buffer>();
  #members: readonly bigint[] = [];
  /** Writes of this node that no member was sent yet. */
  #fresh: RegisterEntry[] = [];
  #digests = 0;

  constructor(options: GossipMapOptions, clock: ClusterClock, port: GossipMapPort, now: number) {
    this.#options = options;
    this.#port = port;
    const { id, messageBytesMax } = options;
    const repairPort: RepairPort = {
      sendDigest: (to, entries) => {
        this.#digests = (this.#digests + 1) % 65_536;
        for (const page of encodeDigest(id, this.#digests, entries, messageBytesMax)) {
          port.send(to, page);
        }
      },
      sendRequest: (to, request) => port.send(to, encodeRequest(id, request)),
      sendBlock: (to, block) => {
        const registers = block.registers.map((register) => this.#entryOf(register));
        port.send(to, encodeBlock(id, { ...block, registers }));
      },
      measure: ({ key }) => this.#bytesOf(key, this.#values.get(key)),
      blockBytes: blockRoom(messageBytesMax),
      mayAsk: () => true,
      isReady: () => true,
    };
    this.replica = new Replica(options, clock, repairPort, now);
  }

  get(key: string): Buffer | undefined {
    return this.#values.get(key);
  }

  entries(): IterableIterator<[string, Buffer]> {
    return this.#values.entries();
  }

  /**
   * Writes a value, or clears the key; flush() sends it.
   * @param value kept
   * @returns false where there is no room for another key, or it is too large for a message
   */
  write(key: string, value: Buffer | undefined, now: number): boolean {
    if (this.#bytesOf(key, value) > blockRoom(this.#options.messageBytesMax)) return false;
    const register = this.replica.write(key, value !== undefined, now);
    if (register === undefined) return false;
    this.#keep(key, value);
    const { time, sequence } = register;
    this.#fresh.push({ key, time, sequence, value });
    return true;
  }

  /** Sends what was written since the last call. */
  flush(): void {
    const fresh = this.#fresh;
    this.#fresh = [];
    let first = 0;
    let room = blockRoom(this.#options.messageBytesMax);
    for (const [index, { key, value }] of fresh.entries()) {
      const bytes = this.#bytesOf(key, value);
      if (bytes > room) {
        this.#sendFresh(fresh.slice(first, index));
        first = index;
        room = blockRoom(this.#options.messageBytesMax);
      }
      room -= bytes;
    }
    if (first < fresh.length) this.#sendFresh(fresh.slice(first));
  }

  setMembers(members: readonly bigint[], now: number): void {
    this.#members = members;
    this.replica.setMembers(members, now);
  }

  handleBlock(member: bigint, block: BlockMessage, now: number): void {
    const { writer } = block.range;
    for (const { key, time, sequence, value } of block.registers) {
      const stamp = { writer, time, sequence };
      if (this.replica.apply(key, stamp, value !== undefined, now) !== 'newer') continue;
      const own = value && Buffer.from(value);
      this.#keep(key, own);
      this.#port.changed(key, own, stamp);
    }
    if (block.requestId !== 0) this.replica.blockApplied(member, block, now);
  }

  #sendFresh(registers: readonly RegisterEntry[]): void {
    const { id, writer } = this.#options;
    const range = { writer, from: registers[0]!.sequence, to: registers.at(-1)!.sequence };
    const bytes = encodeBlock(id, { requestId: 0, isLast: true, range, registers });
    for (const member of this.#members) this.#port.send(member, bytes);
  }

  #keep(key: string, value: Buffer | undefined): void {
    const change = (value?.length ?? 0) - (this.#values.get(key)?.length ?? 0);
    this.replica.map.charge(change);
    if (value === undefined) this.#values.delete(key);
    else this.#values.set(key, value);
  }

  #entryOf({ key, time, sequence, hasValue }: Register): RegisterEntry {
    return { key, time, sequence, value: hasValue ? this.#values.get(key) : undefined };
  }

  #bytesOf(key: string, value: Buffer | undefined): number {
    return registerBytes(Buffer.byteLength(key), value?.length ?? 0);
  }
}
