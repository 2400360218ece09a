// Group commit: all records of one turn of the event loop, or of the time that the disk was busy with
// the previous batch, go to the log in one write and one sync. Callers that wait for them are called
// back after the sync. Knows blocks and files, but no records.
//
// States:
//   open      records are written.
//   stalled   a write failed; the same bytes are written again until they fit.
//   broken    a sync failed, or too many bytes are pending. Records that are not on the disk are
//             discarded, and only a complete snapshot makes the files consistent again. Until then
//             no waiter is called back.

import type { Durability } from '../broker/ports.ts';
import { Histogram } from '../metrics/histogram.ts';
import { describeSystemError } from '../shared/describe-system-error.ts';
import { BacklogLimit } from './backlog-limit.ts';
import { BlockBuilder } from './block-builder.ts';
import type { LogFile } from './log-file.ts';
import type { Timers } from './timers.ts';
import { WriteFailureLog, type WriteFailureOptions } from './write-failure-log.ts';

/** More records than this are sealed at the end of the turn, even while the disk is busy. */
const BLOCK_BYTES_MAX = 1_048_576;
/** Bytes that may wait for a slow or full disk. */
export const PENDING_BYTES_MAX = 67_108_864;
const RETRY_MS = 1000;
/** Records that no caller waits for are collected this long: a sync for each would wear out flash. */
const LAZY_MS = 500;

export interface Waiter {
  readonly done: (now: number) => void;
  readonly refused: ((now: number) => void) | undefined;
  /** Called back after the sync of the log, even while the files lack their snapshot. */
  readonly forLog?: boolean;
}

interface Batch {
  readonly log: LogFile;
  readonly blocks: readonly Buffer[];
  readonly bytes: number;
  /** When its write began, milliseconds. */
  readonly startedAt: number;
  waiters: Waiter[];
}

export interface CommitOptions extends WriteFailureOptions {
  readonly timers: Timers;
  readonly pendingBytesMax?: number;
  readonly retryMs?: number;
  /** Called when the files are inconsistent and a snapshot is needed. */
  readonly onBroken: () => void;
  /** Called when bytes were added to the log. */
  readonly onWritten: (bytes: number) => void;
}

export class GroupCommit {
  state: 'open' | 'stalled' | 'broken' = 'open';
  /** How often the state became broken. A snapshot is void if this changed while it was written. */
  breaks = 0;
  readonly builder: BlockBuilder;
  readonly #failureLog: WriteFailureLog;
  readonly #backlogLimit = new BacklogLimit();
  readonly #options: CommitOptions;
  readonly #timers: Timers;
  #log: LogFile;
  /** Position of the next block in the log. */
  #offset: number;
  #sealed: Buffer[] = [];
  #sealedBytes = 0;
  #waiters: Waiter[] = [];
  /** The batch that is being written. */
  #batch: Batch | undefined;
  #rotation: { log: LogFile; done: (isRotated: boolean) => void } | undefined;
  /** Waiters whose records are in the new log, held until its snapshot is complete. */
  #heldForSnapshot: Waiter[] | undefined;
  #isScheduled = false;
  #retry: unknown;
  #lazy: unknown;
  #onIdle: (() => void) | undefined;

  /** From the first byte of a batch to the end of its sync. */
  readonly writeTime = new Histogram();
  constructor(log: LogFile, options: CommitOptions) {
    this.#log = log;
    this.#offset = log.length;
    this.#options = options;
    this.#timers = options.timers;
    this.builder = new BlockBuilder(options.now);
    this.#failureLog = new WriteFailureLog(options);
  }

  /** Generation of the log that receives the records. */
  get generation(): number {
    return this.#log.generation;
  }

  /** True while records are discarded because no log can be written. */
  get isDiscarding(): boolean {
    return this.state === 'broken' && this.#heldForSnapshot === undefined;
  }

  /** False on a full disk: holding publishers back does not help there. */
  get isCongested(): boolean {
    return this.pendingBytes > this.#backlogLimit.bytes && this.state !== 'stalled';
  }

  get isBusy(): boolean {
    return this.pendingBytes > this.#backlogLimit.bytes / 2 && this.state !== 'stalled';
  }

  get pendingBytes(): number {
    return this.builder.bytes + this.#sealedBytes + (this.#batch?.bytes ?? 0);
  }

  /** Begins in the broken state, because there is no room for a log. */
  startBroken(error: Error): void {
    this.state = 'broken';
    this.#reportFailure(error);
  }

  /** To be called when a record was added to the builder. */
  recordAdded(): void {
    if (this.#waiters.length > 0 || this.builder.bytes > BLOCK_BYTES_MAX) this.#flushSoon();
    else this.#lazy ??= this.#timers.setTimeout(() => this.#endTurn(), LAZY_MS);
  }

  #flushSoon(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#timers.setImmediate(() => this.#endTurn());
  }

  /**
   * Calls back when all records added so far are on the disk, in the order of the calls. Returns
   * 'durable', without a call, if none is pending. While the disk accepts no changes, refuses a
   * waiter that has `refused` and lets the others wait.
   */
  wait(waiter: Waiter): Durability {
    if (this.state !== 'open') {
      if (waiter.refused !== undefined) {
        this.#failureLog.refused += 1;
        return 'refused';
      }
      this.#waiters.push(waiter);
    } else if (this.builder.bytes > 0 || this.#sealed.length > 0 || this.#waiters.length > 0) {
      this.#waiters.push(waiter);
      this.#flushSoon();
    } else if (this.#batch !== undefined) {
      this.#batch.waiters.push(waiter);
    } else {
      return 'durable';
    }
    return 'pending';
  }

  /**
   * Resolves with true when all records added so far are on the disk, even in a log that still lacks
   * its snapshot; with false if the log cannot be written.
   */
  whenLogged(): Promise<boolean> {
    return new Promise((resolve) => {
      if (this.state === 'stalled' || this.isDiscarding) {
        resolve(false);
        return;
      }
      const refused = (): void => resolve(false);
      this.#waiters.push({ done: () => resolve(true), refused, forLog: true });
      this.#flushSoon();
    });
  }

  /** Records added so far go to the present log, later ones to this log. */
  rotate(log: LogFile, done: (isRotated: boolean) => void): void {
    if (this.state === 'broken') {
      done(false);
      return;
    }
    this.#rotation = { log, done };
    if (this.#batch === undefined) this.#flush();
  }

  /** Keeps the present log. */
  cancelRotation(): void {
    this.#rotation?.done(false);
    this.#rotation = undefined;
  }

  /** Ends discarding: records go to a new log, which becomes valid with the snapshot. */
  restart(log: LogFile): void {
    this.#batch = undefined;
    this.#use(log);
    this.#heldForSnapshot = [];
  }

  /** To be called when the snapshot is complete: opens, and calls the held waiters back. */
  recovered(): void {
    const waiters = this.#heldForSnapshot ?? [];
    this.#heldForSnapshot = undefined;
    this.#open();
    const now = this.#now();
    for (const { done } of waiters) done(now);
    this.#flushSoon();
  }

  /** To be called when the snapshot failed as well. */
  breakAgain(error: unknown): void {
    this.#break();
    this.#reportFailure(error);
  }

  /** Resolves when everything is written, or when nothing can be written. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIdle = resolve;
      if (this.#batch === undefined) this.#flush();
      this.#checkIdle();
    });
  }

  /** Ends writing and retrying for good. */
  stop(): void {
    this.#stopTimers();
    this.state = 'broken';
    this.#heldForSnapshot = undefined;
    this.#batch = undefined;
  }

  #stopTimers(): void {
    this.#timers.clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#timers.clearTimeout(this.#lazy);
    this.#lazy = undefined;
  }

  #endTurn(): void {
    this.#isScheduled = false;
    this.#timers.clearTimeout(this.#lazy);
    this.#lazy = undefined;
    if (this.isDiscarding) return;
    if (this.builder.bytes > BLOCK_BYTES_MAX) this.#seal();
    if (this.pendingBytes > (this.#options.pendingBytesMax ?? PENDING_BYTES_MAX)) {
      this.#options.log.error('the disk is too slow or full: a new snapshot replaces the log', {
        waitingBytes: this.pendingBytes,
      });
      this.#breakOff();
      return;
    }
    if (this.#batch === undefined) this.#flush();
  }

  #seal(): void {
    if (this.builder.bytes === 0) return;
    const block = this.builder.seal(this.#log.generation, this.#offset);
    this.#offset += block.length;
    this.#sealed.push(block);
    this.#sealedBytes += block.length;
  }

  #flush(): void {
    if (this.isDiscarding) return;
    this.#seal();
    const blocks = this.#sealed;
    const waiters = this.#waiters;
    const log = this.#log;
    const bytes = this.#sealedBytes;
    if (bytes > 0) {
      this.#sealed = [];
      this.#sealedBytes = 0;
      this.#waiters = [];
      this.#batch = { log, blocks, bytes, startedAt: this.#now(), waiters };
    }
    const rotation = this.#rotation;
    if (rotation !== undefined) {
      this.#rotation = undefined;
      this.#use(rotation.log);
      rotation.done(true);
    }
    if (this.#batch !== undefined) {
      this.#write(this.#batch);
    } else {
      this.#releaseWaiters();
      this.#checkIdle();
    }
  }

  #use(log: LogFile): void {
    this.#log = log;
    this.#offset = log.length;
  }

  #write(batch: Batch): void {
    const { log, blocks } = batch;
    log.file.write(blocks, log.length, (error) => {
      if (this.#batch !== batch) return;
      if (error === null) this.#sync(batch);
      else this.#stall(batch, error);
    });
  }

  #sync(batch: Batch): void {
    batch.log.file.sync((error) => {
      if (this.#batch !== batch) return;
      if (error === null) {
        this.#finish(batch);
        return;
      }
      // The system may have dropped the pages, so a later sync of this file proves nothing.
      this.#options.log.error('sync to disk failed: a new snapshot replaces the log', {
        error: describeSystemError(error, 'write'),
      });
      this.#breakOff();
    });
  }

  #finish(batch: Batch): void {
    batch.log.length += batch.bytes;
    this.#batch = undefined;
    for (const block of batch.blocks) this.builder.recycle(block);
    const elapsedMs = this.#now() - batch.startedAt;
    this.writeTime.observe(elapsedMs / 1000);
    if (this.state === 'stalled') this.#open();
    else this.#backlogLimit.wrote(batch.bytes, elapsedMs);
    this.#options.onWritten(batch.bytes);
    this.#completeOrHold(batch.waiters);
    if (this.#sealed.length > 0 || this.#rotation !== undefined) {
      this.#flushSoon();
    } else if (this.builder.bytes > 0) {
      this.recordAdded();
    } else {
      this.#releaseWaiters();
    }
    this.#checkIdle();
  }

  /** Completes waiters that have no records of their own to write. */
  #releaseWaiters(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    this.#completeOrHold(waiters);
  }

  #completeOrHold(waiters: readonly Waiter[]): void {
    const now = this.#now();
    for (const waiter of waiters) {
      if (this.#heldForSnapshot === undefined || waiter.forLog) waiter.done(now);
      else this.#heldForSnapshot.push(waiter);
    }
  }

  #stall(batch: Batch, error: Error): void {
    if (this.state === 'open') this.state = 'stalled';
    this.#refuseAll();
    this.#reportFailure(error);
    // Writes to the same position again, over what the failed write left there.
    this.#retry = this.#timers.setTimeout(
      () => this.#write(batch),
      this.#options.retryMs ?? RETRY_MS,
    );
    this.#checkIdle();
  }

  #refuseAll(): void {
    const waiters = [...(this.#batch?.waiters ?? []), ...this.#waiters];
    const patient = waiters.filter(({ refused }) => refused === undefined);
    if (this.#batch !== undefined) {
      this.#batch.waiters = [];
    }
    this.#waiters = patient;
    const now = this.#now();
    for (const { refused } of waiters) {
      if (refused === undefined) continue;
      this.#failureLog.refused += 1;
      refused(now);
    }
  }

  /** Milliseconds of the broker's clock. */
  #now(): number {
    return this.#options.now().mono;
  }

  #reportFailure(error: unknown): void {
    this.#failureLog.report(error, this.#waiters.length);
  }

  #open(): void {
    this.state = 'open';
    this.#failureLog.recovered();
  }

  #breakOff(): void {
    this.#break();
    this.#options.onBroken();
  }

  #break(): void {
    this.#stopTimers();
    this.state = 'broken';
    this.cancelRotation();
    this.breaks += 1;
    // In the order of their calls.
    this.#waiters = [
      ...(this.#heldForSnapshot ?? []),
      ...(this.#batch?.waiters ?? []),
      ...this.#waiters,
    ];
    this.#heldForSnapshot = undefined;
    this.#batch = undefined;
    this.#refuseAll();
    this.builder.clear();
    this.#sealed = [];
    this.#sealedBytes = 0;
    this.#checkIdle();
  }

  #checkIdle(): void {
    const isBusy = this.#batch !== undefined && this.state === 'open';
    if (isBusy || (this.state === 'open' && this.pendingBytes > 0)) return;
    this.#onIdle?.();
    this.#onIdle = undefined;
  }
}
