// Group commit: all records that came in a turn of the event loop, or while the disk was busy with
// the ones before, go to the log in one write and are made safe by one sync; then everybody who
// waited for them is told. Knows blocks and files, no records.
//
// States: open; stalled (a write failed: the same bytes are tried again until they fit); broken (a
// sync failed, or more waits than may: what was not written is given up, and only a whole snapshot
// makes the files complete again; until then nobody is told anything).

import { BlockBuilder } from './block-builder.ts';
import type { LogFile } from './log-file.ts';
import type { Timers } from './timers.ts';
import { type OutageOptions, WriteFailureLog } from './write-failure-log.ts';

/** Records beyond this are sealed at the end of a turn, even if the disk is busy. */
const BLOCK_BYTES_MAX = 1_048_576;
/** What may wait for a slow or full disk. */
export const PENDING_BYTES_MAX = 67_108_864;
/** From here on publishers of what must be kept are not read. */
const CONGESTED_BYTES = 4_194_304;
const RETRY_MS = 1000;
/** Records for which nobody waits gather this long: a sync each would wear a flash disk for nothing. */
const LAZY_MS = 500;

export interface Waiter {
  readonly done: () => void;
  readonly refused: (() => void) | undefined;
  /** Waits for the log alone, whether the files are complete or not. */
  readonly forLog?: boolean;
}

interface Batch {
  readonly log: LogFile;
  readonly blocks: readonly Buffer[];
  readonly bytes: number;
  waiters: Waiter[];
}

export interface CommitOptions extends OutageOptions {
  readonly timers: Timers;
  readonly pendingBytesMax?: number;
  readonly retryMs?: number;
  /** The files are incomplete; a snapshot has to be made. */
  readonly onBroken: () => void;
  /** Bytes were added to the log. */
  readonly onWritten: (bytes: number) => void;
}

export class GroupCommit {
  state: 'open' | 'stalled' | 'broken' = 'open';
  /** How often it broke; a snapshot that was under way meanwhile is worth nothing. */
  breaks = 0;
  readonly builder: BlockBuilder;
  readonly #outage: WriteFailureLog;
  readonly #options: CommitOptions;
  readonly #timers: Timers;
  #log: LogFile;
  /** Where the next block will stand in the log. */
  #offset: number;
  #sealed: Buffer[] = [];
  #sealedBytes = 0;
  #waiters: Waiter[] = [];
  /** On its way to the disk. */
  #batch: Batch | undefined;
  #rotation: { log: LogFile; done: (isRotated: boolean) => void } | undefined;
  /** While the files are incomplete those who wait gather here. */
  #gated: Waiter[] | undefined;
  #isScheduled = false;
  #retry: unknown;
  #lazy: unknown;
  #onIdle: (() => void) | undefined;

  constructor(log: LogFile, options: CommitOptions) {
    this.#log = log;
    this.#offset = log.length;
    this.#options = options;
    this.#timers = options.timers;
    this.builder = new BlockBuilder(options.now);
    this.#outage = new WriteFailureLog(options);
  }

  /** The log that records go to from now on. */
  get generation(): number {
    return this.#log.generation;
  }

  /** True while what is told is not written: there is no room for it, or no file. */
  get isDeaf(): boolean {
    return this.state === 'broken' && this.#gated === undefined;
  }

  /** On a full disk nobody is held back for what would not be written anyway. */
  get isCongested(): boolean {
    return this.pendingBytes > CONGESTED_BYTES && this.state !== 'stalled';
  }

  get pendingBytes(): number {
    return this.builder.bytes + this.#sealedBytes + (this.#batch?.bytes ?? 0);
  }

  /** There is no log yet, for want of room. */
  startBroken(error: Error): void {
    this.state = 'broken';
    this.#tellOutage(error);
  }

  /** A record was added to the builder. */
  touched(): void {
    if (this.#waiters.length > 0 || this.builder.bytes > BLOCK_BYTES_MAX) this.#hurry();
    else this.#lazy ??= this.#timers.setTimeout(() => this.#endTurn(), LAZY_MS);
  }

  #hurry(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#timers.setImmediate(() => this.#endTurn());
  }

  wait(waiter: Waiter): void {
    if (this.state !== 'open') {
      if (waiter.refused !== undefined) this.#refuse(waiter.refused);
      else this.#waiters.push(waiter);
    } else if (this.builder.bytes > 0 || this.#sealed.length > 0 || this.#waiters.length > 0) {
      this.#waiters.push(waiter);
      this.#hurry();
    } else if (this.#batch !== undefined) {
      this.#batch.waiters.push(waiter);
    } else {
      waiter.done();
    }
  }

  /**
   * Resolves when what was told so far is safe in the log, even one that does not count yet; with
   * false where there is no room for it, or it broke.
   */
  logged(): Promise<boolean> {
    return new Promise((resolve) => {
      if (this.state === 'stalled' || this.isDeaf) {
        resolve(false);
        return;
      }
      const refused = (): void => resolve(false);
      this.#waiters.push({ done: () => resolve(true), refused, forLog: true });
      this.#hurry();
    });
  }

  /** What was told so far goes to the present log, what comes later to this one. */
  rotate(log: LogFile, done: (isRotated: boolean) => void): void {
    if (this.state === 'broken') {
      done(false);
      return;
    }
    this.#rotation = { log, done };
    if (this.#batch === undefined) this.#flush();
  }

  /** The present log stays. */
  cancelRotation(): void {
    this.#rotation?.done(false);
    this.#rotation = undefined;
  }

  /** After broken: records go to a new log, which counts once a snapshot is complete. */
  restart(log: LogFile): void {
    this.#batch = undefined;
    this.#use(log);
    this.#gated = [];
  }

  /** The snapshot is complete. */
  recovered(): void {
    const waiters = this.#gated ?? [];
    this.#gated = undefined;
    this.#open();
    for (const { done } of waiters) done();
    this.#hurry();
  }

  /** The snapshot failed too. */
  breakAgain(error: unknown): void {
    this.#break();
    this.#tellOutage(error);
  }

  /** Resolves when all is written, or nothing more can be. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIdle = resolve;
      if (this.#batch === undefined) this.#flush();
      this.#checkIdle();
    });
  }

  /** Nothing is written any more, nor tried again. */
  stop(): void {
    this.#stopTimers();
    this.state = 'broken';
    this.#gated = undefined;
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
    if (this.isDeaf) return;
    if (this.builder.bytes > BLOCK_BYTES_MAX) this.#seal();
    if (this.pendingBytes > (this.#options.pendingBytesMax ?? PENDING_BYTES_MAX)) {
      this.#options.log.error('the disk is too slow or full: changes wait for a new snapshot', {
        waitingBytes: this.pendingBytes,
      });
      this.#breakAndTell();
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
    if (this.isDeaf) return;
    this.#seal();
    const blocks = this.#sealed;
    const waiters = this.#waiters;
    const log = this.#log;
    const bytes = this.#sealedBytes;
    if (bytes > 0) {
      this.#sealed = [];
      this.#sealedBytes = 0;
      this.#waiters = [];
      this.#batch = { log, blocks, bytes, waiters };
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
      // The system may have dropped the pages: writing them again to the same file proves nothing.
      this.#options.log.error('the disk did not take what was written', { error: error.message });
      this.#breakAndTell();
    });
  }

  #finish(batch: Batch): void {
    batch.log.length += batch.bytes;
    this.#batch = undefined;
    for (const block of batch.blocks) this.builder.recycle(block);
    if (this.state === 'stalled') this.#open();
    this.#options.onWritten(batch.bytes);
    this.#tellOrGate(batch.waiters);
    if (this.#sealed.length > 0 || this.#rotation !== undefined) {
      this.#hurry();
    } else if (this.builder.bytes > 0) {
      this.touched();
    } else {
      this.#releaseWaiters();
    }
    this.#checkIdle();
  }

  /** Those who waited for room, with nothing of their own to write. */
  #releaseWaiters(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    this.#tellOrGate(waiters);
  }

  #tellOrGate(waiters: readonly Waiter[]): void {
    for (const waiter of waiters) {
      if (this.#gated === undefined || waiter.forLog) waiter.done();
      else this.#gated.push(waiter);
    }
  }

  #stall(batch: Batch, error: Error): void {
    if (this.state === 'open') this.state = 'stalled';
    this.#refuseAll();
    this.#tellOutage(error);
    // At the same place: what the failed write left there is written over.
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
    for (const { refused } of waiters) if (refused !== undefined) this.#refuse(refused);
  }

  #refuse(refused: () => void): void {
    this.#outage.refused += 1;
    refused();
  }

  #tellOutage(error: unknown): void {
    this.#outage.tell(error, this.#waiters.length);
  }

  #open(): void {
    this.state = 'open';
    this.#outage.end();
  }

  #breakAndTell(): void {
    this.#break();
    this.#options.onBroken();
  }

  #break(): void {
    this.#stopTimers();
    this.state = 'broken';
    this.cancelRotation();
    this.breaks += 1;
    // In the order in which they came.
    this.#waiters = [...(this.#gated ?? []), ...(this.#batch?.waiters ?? []), ...this.#waiters];
    this.#gated = undefined;
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
