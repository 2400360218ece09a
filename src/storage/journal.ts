// The SessionStore behind -data: records each change of the state in a log. The broker owns the state;
// the journal keeps only the numbers of its sessions. compactor.ts replaces logs by snapshots.
//
// Invariant: a callback of whenDurable() runs only after everything recorded before the call is on the
// disk, in a log that a restart would read.

import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { Message, StoredMark } from '../broker/message/message.ts';
import type {
  DeliveryRecord,
  Durability,
  SessionRecord,
  SessionStore,
  StoredState,
  SubscriptionRecord,
} from '../broker/ports.ts';
import type { ValuesOf } from '../metrics/metric-list.ts';
import type { WillPacket } from '../mqtt/control-decoder.ts';
import type { RegisterRecord, RegisterStore, StoredRegisters } from '../replica/register-store.ts';
import type { LogRange } from '../replica/repair-port.ts';
import type { Logger } from '../shared/logger.ts';
import { Compactor } from './compactor.ts';
import { makeDataFolder } from './data-folder.ts';
import { type Disk, FolderDisk } from './disk.ts';
import type { Stamp } from './file-format.ts';
import { type FolderLock, lockFolder } from './folder-lock.ts';
import { GroupCommit } from './group-commit.ts';
import { type Loaded, loadFolder } from './loader.ts';
import { firstLog, type LogFile, noLog, removeStale } from './log-file.ts';
import type { RecordWriter } from './record-writer.ts';
import type { Capture } from './snapshot-writer.ts';
import { Numbering, StateRecorder } from './state-recorder.ts';
import { systemTimers, type Timers } from './timers.ts';

export interface JournalOptions {
  readonly folder: string;
  readonly log: Logger;
  /** Both clocks; the monotonic one must be the broker's. */
  readonly now?: () => Stamp;
  readonly disk?: Disk;
  readonly timers?: Timers;
  readonly compactBytesMin?: number;
  readonly pendingBytesMax?: number;
  readonly retryMs?: number;
}

export interface OpenedJournal {
  readonly journal: Journal;
  /** The state that earlier runs left; times refer to the present clock. */
  readonly state: StoredState & { readonly registers: StoredRegisters };
}

/** What open() hands to the constructor. */
interface Opened {
  readonly disk: Disk;
  readonly lock: FolderLock | undefined;
  readonly loaded: Loaded;
  /** The first log of this run, or why there is no room for it. */
  readonly file: LogFile | Error;
  readonly run: bigint;
}

export class Journal implements SessionStore, RegisterStore {
  readonly durable = true;
  readonly #log: Logger;
  readonly #lock: FolderLock | undefined;
  readonly #commit: GroupCommit;
  readonly #compactor: Compactor;
  readonly #numbering: Numbering;
  readonly #recorder: StateRecorder;

  /** Rejects with StorageError or DataPathError if the folder cannot be used, but never for damage. */
  static async open(options: JournalOptions): Promise<OpenedJournal> {
    const { folder, log, now = systemNow } = options;
    let lock: FolderLock | undefined;
    if (options.disk === undefined) {
      makeDataFolder(folder);
      lock = await lockFolder(folder);
    }
    try {
      const disk = options.disk ?? new FolderDisk(folder);
      const startedAt = performance.now();
      const loaded = loadFolder(disk, log, now());
      const run = randomBytes(8).readBigUInt64LE();
      await removeStale(disk, loaded.stale);
      const file = await firstLog(disk, loaded.lastGeneration + 1, run);
      if (!(file instanceof Error)) await removeStale(disk, loaded.emptyLogs);
      log.info('stored state read', {
        folder,
        bytes: loaded.logBytes + loaded.snapshotBytes,
        ms: Math.round(performance.now() - startedAt),
      });
      const journal = new Journal(options, { disk, lock, loaded, file, run });
      return { journal, state: loaded.state };
    } catch (error) {
      await lock?.release();
      throw error;
    }
  }

  private constructor(options: JournalOptions, { disk, lock, loaded, file, run }: Opened) {
    const { folder, log, now = systemNow, timers = systemTimers } = options;
    const { compactBytesMin, pendingBytesMax, retryMs } = options;
    const isFull = file instanceof Error;
    this.#log = log;
    this.#lock = lock;
    this.#numbering = numberingOf(loaded);
    const commit = new GroupCommit(isFull ? noLog : file, {
      folder,
      log,
      now,
      timers,
      ...(pendingBytesMax !== undefined && { pendingBytesMax }),
      ...(retryMs !== undefined && { retryMs }),
      onBroken: () => this.#compactor.recoverSoon(0),
      onWritten: (bytes) => this.#compactor.logGrew(bytes),
    });
    this.#commit = commit;
    if (isFull) commit.startBroken(file);
    this.#compactor = new Compactor({
      disk,
      log,
      now,
      timers,
      run,
      commit,
      numbering: this.#numbering,
      loaded,
      firstLog: isFull ? undefined : file,
      ...(compactBytesMin !== undefined && { compactBytesMin }),
      ...(retryMs !== undefined && { retryMs }),
    });
    this.#recorder = new StateRecorder(this.#numbering, commit.builder, {
      sessionNumber: (clientId) => this.#numbering.find(clientId),
      addMessage: (mark) => isNewIn(commit.generation, mark),
    });
  }

  /** Enables snapshots; `capture` passes the whole state. Replaces damaged files at once. */
  useCapture(capture: Capture): void {
    this.#compactor.useCapture(capture);
  }

  /** Writes a snapshot and removes the files that it replaces. Never rejects. */
  compact(): Promise<void> {
    return this.#compactor.compact();
  }

  get accepting(): boolean {
    return this.#commit.state === 'open';
  }

  get congested(): boolean {
    return this.#commit.isCongested;
  }

  get busy(): boolean {
    return this.#commit.isBusy;
  }

  metrics(): ValuesOf<'storage'> {
    const { logBytes, snapshotBytes } = this.#compactor;
    return {
      accepting: this.accepting ? 1 : 0,
      waitingBytes: this.#commit.pendingBytes,
      logBytes,
      snapshotBytes,
      writeTime: this.#commit.writeTime,
    };
  }

  saveSession(session: SessionRecord): void {
    const number = this.#numbering.findOrAssign(session.clientId);
    this.#beginRecord()?.session(number, session);
  }

  removeSession(clientId: string): void {
    const number = this.#numbering.remove(clientId);
    if (number !== undefined) this.#beginRecord()?.sessionRemoved(number);
  }

  saveSubscription(clientId: string, subscription: SubscriptionRecord): void {
    if (this.#beginRecord()) this.#recorder.saveSubscription(clientId, subscription);
  }

  removeSubscription(clientId: string, filter: string): void {
    const number = this.#numbering.find(clientId);
    if (number !== undefined) this.#beginRecord()?.subscriptionRemoved(number, filter);
  }

  saveDelivery(clientId: string, delivery: DeliveryRecord): void {
    if (this.#beginRecord()) this.#recorder.saveDelivery(clientId, delivery);
  }

  updateDelivery(clientId: string, delivery: DeliveryRecord): void {
    const number = this.#numbering.find(clientId);
    if (number !== undefined) this.#beginRecord()?.progress(number, delivery);
  }

  removeDelivery(clientId: string, deliveryId: number): void {
    const number = this.#numbering.find(clientId);
    if (number !== undefined) this.#beginRecord()?.deliveryRemoved(number, deliveryId);
  }

  saveReceived(clientId: string, packetId: number): void {
    if (this.#beginRecord()) this.#recorder.saveReceived(clientId, packetId);
  }

  removeReceived(clientId: string, packetId: number): void {
    const number = this.#numbering.find(clientId);
    if (number !== undefined) this.#beginRecord()?.receivedRemoved(number, packetId);
  }

  saveRetained(message: Message): void {
    if (this.#beginRecord()) this.#recorder.saveRetained(message);
  }

  removeRetained(topic: string): void {
    this.#beginRecord()?.retainedRemoved(topic);
  }

  saveWill(clientId: string, will: WillPacket, publishAt: number): void {
    if (this.#beginRecord()) this.#recorder.saveWill(clientId, will, publishAt);
  }

  removeWill(clientId: string): void {
    const number = this.#numbering.find(clientId);
    if (number !== undefined) this.#beginRecord()?.willRemoved(number);
  }

  saveRegister(register: RegisterRecord): void {
    this.#beginRecord()?.register(register);
  }

  removeRegister(key: string): void {
    this.#beginRecord()?.registerRemoved(key);
  }

  saveKnown(range: LogRange): void {
    this.#beginRecord()?.known(range);
  }

  whenDurable(done: (now: number) => void, refused?: (now: number) => void): Durability {
    return this.#commit.wait({ done, refused });
  }

  /** Writes what was recorded, closes the files and releases the folder. */
  async close(): Promise<void> {
    await this.#compactor.stop();
    await this.#commit.idle();
    if (this.#commit.state !== 'open') {
      this.#log.error('stopped before the last changes were written');
    }
    this.#commit.stop();
    await this.#compactor.closeLogs();
    await this.#lock?.release();
  }

  /** Announces a record. @returns where to write it; undefined while records are discarded */
  #beginRecord(): RecordWriter | undefined {
    if (this.#commit.isDiscarding) return undefined;
    this.#commit.recordAdded();
    return this.#commit.builder.records;
  }
}

function numberingOf({ state }: Loaded): Numbering {
  const numbering = new Numbering(state.lastNumber, state.lastMessageId);
  for (const { clientId, number } of state.sessions) numbering.restore(clientId, number);
  return numbering;
}

/** Marks the message as contained in the log. @returns false if it was marked before */
function isNewIn(generation: number, mark: StoredMark): boolean {
  if (mark.log === generation) return false;
  mark.log = generation;
  return true;
}

function systemNow(): Stamp {
  return { wall: Date.now(), mono: performance.now() };
}
