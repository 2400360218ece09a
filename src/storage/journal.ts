// The SessionStore behind -data: a log of changes, and from time to time a snapshot of the whole
// state that makes the earlier files superfluous. The state itself is the broker's; the journal
// keeps nothing of it but numbers.
//
// A generation g is a log, and from the second on a snapshot that was begun when the log was: what
// the snapshot saw too early or too late, the log, replayed after it, puts right, because every
// record says how something is, not what changed. Files of generation g are removed when the
// snapshot of g + 1 is complete.

import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { StoredMark } from '../broker/message/message.ts';
import type {
  DeliveryRecord,
  SessionRecord,
  SessionStore,
  StoredState,
  SubscriptionRecord,
} from '../broker/ports.ts';
import type { ValuesOf } from '../metrics/metric-list.ts';
import type { Logger } from '../shared/logger.ts';
import type { BlockBuilder } from './block-builder.ts';
import { makeDataFolder } from './data-folder.ts';
import { type Disk, FolderDisk } from './disk.ts';
import type { Stamp } from './file-format.ts';
import { DAMAGED_PREFIX, fileName, TEMPORARY_SUFFIX } from './file-names.ts';
import { type FolderLock, lockFolder } from './folder-lock.ts';
import { GroupCommit } from './group-commit.ts';
import { type Loaded, loadFolder } from './loader.ts';
import { createLog, firstLog, type LogFile, logName, noLog, removeStale } from './log-file.ts';
import { type Capture, SnapshotWriter, settled } from './snapshot-writer.ts';
import { Numbering, StateRecorder } from './state-recorder.ts';
import { systemTimers, type Timers } from './timers.ts';

/** Logs are compacted when they are as large as the snapshot, but not below this. */
const COMPACT_BYTES_MIN = 33_554_432;
/** After a snapshot failed. */
const RETRY_MS = 5000;
/** Each try may leave a log behind: after every failure in a row the next one waits twice as long. */
const FAILURES_MAX = 6;
/** Files of earlier damage that are kept. */
const DAMAGED_FILES_MAX = 4;

export interface JournalOptions {
  readonly folder: string;
  readonly log: Logger;
  /** The clocks; the first must be the broker's. */
  readonly now?: () => Stamp;
  readonly disk?: Disk;
  readonly timers?: Timers;
  readonly compactBytesMin?: number;
  readonly pendingBytesMax?: number;
  readonly retryMs?: number;
}

export interface OpenedJournal {
  readonly journal: Journal;
  /** What earlier runs left, in terms of the present clock. */
  readonly state: StoredState;
}

export class Journal extends StateRecorder implements SessionStore {
  readonly durable = true;
  readonly #options: JournalOptions;
  readonly #disk: Disk;
  readonly #lock: FolderLock | undefined;
  readonly #now: () => Stamp;
  readonly #timers: Timers;
  readonly #run: bigint;
  readonly #commit: GroupCommit;
  /** Files that the next complete snapshot makes superfluous. */
  #olderFiles: string[];
  #damaged: Set<string>;
  #openLogs: LogFile[];
  #lastGeneration: number;
  #logBytes: number;
  #snapshotBytes: number;
  #snapshot: SnapshotWriter | undefined;
  #capture: Capture | undefined;
  #compaction: Promise<void> | undefined;
  #retry: unknown;
  #failures = 0;
  #isClosing = false;

  /** @throws StorageError, DataPathError where the folder can't be used; damage is no reason */
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
      log.info('stored state read', {
        folder,
        bytes: loaded.logBytes + loaded.snapshotBytes,
        ms: Math.round(performance.now() - startedAt),
      });
      return {
        journal: new Journal(options, disk, lock, loaded, file, run),
        state: loaded.state,
      };
    } catch (error) {
      await lock?.release();
      throw error;
    }
  }

  private constructor(
    options: JournalOptions,
    disk: Disk,
    lock: FolderLock | undefined,
    loaded: Loaded,
    file: LogFile | Error,
    run: bigint,
  ) {
    super(new Numbering(loaded.state.lastNumber, loaded.state.lastMessageId));
    for (const { clientId, number } of loaded.state.sessions) this.numbering.know(clientId, number);
    this.#options = options;
    this.#disk = disk;
    this.#lock = lock;
    this.#now = options.now ?? systemNow;
    this.#timers = options.timers ?? systemTimers;
    this.#run = run;
    this.#olderFiles = loaded.files.map(({ name }) => name);
    this.#damaged = new Set(loaded.damaged);
    const isFull = file instanceof Error;
    this.#openLogs = isFull ? [] : [file];
    this.#lastGeneration = loaded.lastGeneration + 1;
    this.#logBytes = loaded.logBytes;
    this.#snapshotBytes = loaded.snapshotBytes;
    const { folder, log, pendingBytesMax, retryMs } = options;
    this.#commit = new GroupCommit(isFull ? noLog : file, {
      folder,
      log,
      now: this.#now,
      timers: this.#timers,
      ...(pendingBytesMax !== undefined && { pendingBytesMax }),
      ...(retryMs !== undefined && { retryMs }),
      onBroken: () => this.#recoverSoon(0),
      onWritten: (bytes) => this.#written(bytes),
    });
    if (isFull) this.#commit.startBroken(file);
  }

  /** From now on snapshots can be made. A damaged file is replaced at once. */
  useCapture(capture: Capture): void {
    this.#capture = capture;
    if (this.#damaged.size > 0 || this.#commit.state === 'broken') void this.compact();
    else this.#written(0);
  }

  get accepting(): boolean {
    return this.#commit.state === 'open';
  }

  metrics(): ValuesOf<'storage'> {
    return {
      accepting: this.accepting ? 1 : 0,
      waitingBytes: this.#commit.pendingBytes,
      logBytes: this.#logBytes,
      snapshotBytes: this.#snapshotBytes,
    };
  }

  get congested(): boolean {
    return this.#commit.isCongested;
  }

  override saveSession(session: SessionRecord): void {
    const number = this.numbering.findOrGive(session.clientId);
    this.#record()?.session(number, session);
  }

  removeSession(clientId: string): void {
    const number = this.numbering.forget(clientId);
    if (number !== undefined) this.#record()?.sessionRemoved(number);
  }

  override saveSubscription(clientId: string, subscription: SubscriptionRecord): void {
    if (this.#record()) super.saveSubscription(clientId, subscription);
  }

  removeSubscription(clientId: string, filter: string): void {
    const number = this.numberOf(clientId);
    if (number !== undefined) this.#record()?.subscriptionRemoved(number, filter);
  }

  override saveDelivery(clientId: string, delivery: DeliveryRecord): void {
    if (this.#record()) super.saveDelivery(clientId, delivery);
  }

  updateDelivery(clientId: string, delivery: DeliveryRecord): void {
    const number = this.numberOf(clientId);
    if (number !== undefined) this.#record()?.progress(number, delivery);
  }

  removeDelivery(clientId: string, deliveryId: number): void {
    const number = this.numberOf(clientId);
    if (number !== undefined) this.#record()?.deliveryRemoved(number, deliveryId);
  }

  override saveReceived(clientId: string, packetId: number): void {
    if (this.#record()) super.saveReceived(clientId, packetId);
  }

  removeReceived(clientId: string, packetId: number): void {
    const number = this.numberOf(clientId);
    if (number !== undefined) this.#record()?.receivedRemoved(number, packetId);
  }

  override saveRetained(message: Parameters<SessionStore['saveRetained']>[0]): void {
    if (this.#record()) super.saveRetained(message);
  }

  removeRetained(topic: string): void {
    this.#record()?.retainedRemoved(topic);
  }

  override saveWill(...will: Parameters<SessionStore['saveWill']>): void {
    if (this.#record()) super.saveWill(...will);
  }

  removeWill(clientId: string): void {
    const number = this.numberOf(clientId);
    if (number !== undefined) this.#record()?.willRemoved(number);
  }

  whenDurable(done: () => void, refused?: () => void): void {
    this.#commit.wait({ done, refused });
  }

  /** Writes what is told, closes the files and gives the folder free. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#timers.clearTimeout(this.#retry);
    this.#snapshot?.abort();
    this.#commit.cancelRotation();
    await this.#compaction;
    await this.#commit.idle();
    if (this.#commit.state !== 'open') {
      this.#options.log.error('stopped without having written the last changes');
    }
    this.#commit.stop();
    await this.#closeLogs(() => true);
    await this.#lock?.release();
  }

  /** Makes a snapshot and removes what it replaces. One at a time; never rejects. */
  compact(): Promise<void> {
    this.#compaction ??= this.#compactOnce().then((isDone) => {
      this.#compaction = undefined;
      if (this.#commit.state === 'broken') this.#recoverSoon(this.#retryMs);
      else if (!isDone && !this.#isClosing) this.#pause();
    });
    return this.#compaction;
  }

  protected override get builder(): BlockBuilder {
    return this.#commit.builder;
  }

  protected override numberOf(clientId: string): number | undefined {
    return this.numbering.find(clientId);
  }

  protected override claim(mark: StoredMark): boolean {
    const { generation } = this.#commit;
    if (mark.log === generation) return false;
    mark.log = generation;
    return true;
  }

  get #retryMs(): number {
    return this.#options.retryMs ?? RETRY_MS;
  }

  /** Where a record may be put, if records are taken. */
  #record(): BlockBuilder['records'] | undefined {
    if (this.#commit.isDeaf) return undefined;
    this.#commit.touched();
    return this.#commit.builder.records;
  }

  #written(bytes: number): void {
    this.#logBytes += bytes;
    const limit = Math.max(this.#snapshotBytes, this.#options.compactBytesMin ?? COMPACT_BYTES_MIN);
    const isDue = this.#logBytes > limit && this.#retry === undefined;
    if (isDue && this.#capture !== undefined && !this.#isClosing) void this.compact();
  }

  #recoverSoon(afterMs: number): void {
    if (this.#isClosing || this.#compaction !== undefined) return;
    this.#timers.clearTimeout(this.#retry);
    this.#retry = this.#timers.setTimeout(() => {
      this.#retry = undefined;
      void this.compact();
    }, afterMs);
  }

  async #compactOnce(): Promise<boolean> {
    const { log } = this.#options;
    const capture = this.#capture;
    if (capture === undefined) return true;
    const startedAt = performance.now();
    const generation = this.#lastGeneration + 1;
    this.#lastGeneration = generation;
    const file = fileName('snapshot', generation);
    const superfluous = [...this.#olderFiles, ...this.#openLogs.map(logName)];
    const isRecovery = this.#commit.state === 'broken';
    try {
      await this.#rotate(generation, isRecovery);
      const bytes = await this.#replace(generation, capture);
      if (isRecovery) this.#commit.recovered();
      this.#failures = 0;
      this.#snapshotBytes = bytes;
      const ms = Math.round(performance.now() - startedAt);
      log.info('snapshot written', { file, bytes, ms });
    } catch (error) {
      // The commit tells of an outage itself.
      if (!(this.#isClosing || isRecovery)) {
        log.warn('snapshot failed', { file, error: String(error) });
      }
      await this.#afterFailure(generation, isRecovery, error);
      return false;
    }
    await this.#removeFiles(superfluous, file);
    return true;
  }

  /** Writes a snapshot that, with the log of its generation, stands for all files before it. */
  async #replace(generation: number, capture: Capture): Promise<number> {
    const { breaks } = this.#commit;
    const name = fileName('snapshot', generation);
    const bytes = await this.#writeSnapshot(generation, capture);
    // What the walk came too early to see stands in the log alone: half of it is no state.
    const isLogged = await this.#commit.logged();
    if (isLogged) {
      await this.#disk.rename(name + TEMPORARY_SUFFIX, name);
      await this.#disk.syncNames();
    }
    if (!isLogged || this.#commit.breaks !== breaks) throw new Error('the log broke off');
    return bytes;
  }

  async #afterFailure(generation: number, isRecovery: boolean, error: unknown): Promise<void> {
    if (this.#commit.state === 'broken') this.#commit.breakAgain(error);
    const snapshot = fileName('snapshot', generation);
    const names = [snapshot + TEMPORARY_SUFFIX, snapshot];
    // What was acknowledged may stand in the log already, unless it was to count with the snapshot.
    if (isRecovery || this.#commit.generation !== generation) {
      await this.#closeLogs((log) => log.generation === generation);
      // Behind the snapshot, which is nothing without it.
      names.push(fileName('log', generation));
    }
    try {
      for (const name of names) await this.#disk.remove(name);
    } catch {
      this.#olderFiles.push(...names);
    }
  }

  /** Records go to the log of the new generation from here on. */
  async #rotate(generation: number, isRecovery: boolean): Promise<void> {
    const file = await createLog(this.#disk, generation, this.#run, isRecovery);
    this.#openLogs.push(file);
    if (this.#isClosing) throw new Error('closing');
    if (isRecovery) {
      this.#commit.restart(file);
    } else {
      const isRotated = await new Promise<boolean>((done) => this.#commit.rotate(file, done));
      if (!isRotated) throw new Error('the log broke off before the snapshot');
    }
    this.#logBytes += file.length;
  }

  async #writeSnapshot(generation: number, capture: Capture): Promise<number> {
    const file = await this.#disk.create(fileName('snapshot', generation) + TEMPORARY_SUFFIX);
    try {
      const target = { file, generation, run: this.#run };
      this.#snapshot = new SnapshotWriter(target, this.numbering, this.#now, this.#timers);
      return await this.#snapshot.write(capture);
    } finally {
      this.#snapshot = undefined;
      await settled((done) => file.close(done)).catch(ignore);
    }
  }

  /** After a snapshot that failed for want of room, say: not again at once. */
  #pause(): void {
    this.#timers.clearTimeout(this.#retry);
    this.#retry = this.#timers.setTimeout(
      () => {
        this.#retry = undefined;
        this.#written(0);
      },
      this.#retryMs * 2 ** this.#failures,
    );
    this.#failures = Math.min(FAILURES_MAX, this.#failures + 1);
  }

  /** What can't be removed now is, after the next snapshot. */
  async #removeFiles(names: readonly string[], replacement: string): Promise<void> {
    const current = this.#commit.generation;
    await this.#closeLogs((log) => log.generation < current);
    this.#logBytes = this.#openLogs.reduce((sum, { length }) => sum + length, 0);
    const left: string[] = [];
    for (const name of names) {
      try {
        if (this.#damaged.has(name)) await this.#setAside(name);
        else await this.#disk.remove(name);
        this.#damaged.delete(name);
      } catch {
        left.push(name);
      }
    }
    this.#olderFiles = [...left, replacement];
  }

  async #closeLogs(isUseless: (log: LogFile) => boolean): Promise<void> {
    const useless = this.#openLogs.filter(isUseless);
    this.#openLogs = this.#openLogs.filter((log) => !isUseless(log));
    for (const { file } of useless) await settled((done) => file.close(done)).catch(ignore);
  }

  async #setAside(name: string): Promise<void> {
    const aside = `${DAMAGED_PREFIX}${name}`;
    await this.#disk.rename(name, aside);
    this.#options.log.warn('damaged file set aside', { file: name, as: aside });
    const kept = this.#disk.list().filter((other) => other.startsWith(DAMAGED_PREFIX));
    for (const oldest of kept.sort().slice(0, -DAMAGED_FILES_MAX)) await this.#disk.remove(oldest);
  }
}

function systemNow(): Stamp {
  return { wall: Date.now(), mono: performance.now() };
}

function ignore(): void {}
