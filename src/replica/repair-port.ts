// What anti-entropy needs of the outside, and what it is given: digests, requests and blocks, as
// values. How they are written and by which port they travel is the adapter's matter.

import type { Range } from './coverage.ts';
import type { Register } from './register.ts';
import type { DigestEntry } from './register-map.ts';

/** A part of one writer's log. */
export interface LogRange extends Range {
  readonly writer: bigint;
}

export interface Request {
  /** Given back in the blocks that answer it. */
  readonly id: number;
  readonly ranges: readonly LogRange[];
}

/** All registers of one writer that are current in the range, ascending. */
export interface Block<T> {
  readonly requestId: number;
  readonly range: LogRange;
  /** The request is answered as far as it will be. */
  readonly isLast: boolean;
  readonly registers: readonly T[];
}

export interface RepairPort {
  /** Sends digest entries, in as many datagrams as they need. Losses are harmless. */
  sendDigest(to: bigint, entries: readonly DigestEntry[]): void;
  sendRequest(to: bigint, request: Request): void;
  sendBlock(to: bigint, block: Block<Register>): void;
  /** Bytes that the register takes in a block. */
  measure(register: Register): number;
  /** Room for registers in a block that needs one datagram. A larger register goes alone. */
  readonly blockBytes: number;
  /** False while what was repaired still waits for subscribers: nothing more is asked for. */
  mayAsk(now: number): boolean;
  /** False while the network takes nothing more, or live traffic waits. */
  isReady(): boolean;
}
