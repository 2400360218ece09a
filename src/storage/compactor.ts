// Compaction: replaces the logs by a snapshot when they have grown, and after a failure of the disk.
// Owns the files of the data folder and their generations. Does not know records.
//
// Generation g is a log and, from the second generation on, a snapshot that was begun together with
// the log. Replaying the log after the snapshot corrects what the snapshot saw too early or too late,
// because each record states a value and not a difference. The files of generation g are removed when
// the snapshot of g + 1 is complete.

import { performance } from 'node:perf_hooks';
import { describeSystemError } from '../shared/describe-system-error.ts';
import type { Logger } from '../shared/logger.ts';
import type { Disk } from './disk.ts';
import type { Stamp } from './file-format.ts';
import { DAMAGED_PREFIX, fileName, TEMPORARY_SUFFIX } from './file-names.ts';
import type { GroupCommit } from './group-commit.ts';
import type { Loaded } from './loader.ts';
import { createLog, type LogFile, logName } from './log-file.ts';
import { type Capture, SnapshotWriter, settled } from './snapshot-writer.ts';
import type { Numbering } from './state-recorder.ts';
import type { Timers } from './timers.ts';

/** A snapshot is due when the logs are larger than the last snapshot and than this. */
const COMPACT_BYTES_MIN = 33_554_432;
/** A snapshot is also due if a start found more files than this, each left by an earlier run. */
const RESTORED_FILES_MAX = 16;
/** Wait after a failed snapshot. */
const RETRY_MS = 5000;
/** Each attempt may leave a log behind, so the wait doubles with each failure in a row, this often. */
const DOUBLINGS_MAX = 6;
/** Damaged files that are kept. */
const DAMAGED_FILES_MAX = 4;

export interface CompactorOptions {
  readonly disk: Disk;
  readonly log: Logger;
  readonly now: () => Stamp;
  readonly timers: Timers;
  /** Random number of this process. */
  readonly run: bigint;
  readonly commit: GroupCommit;
  readonly numbering: Numbering;
  readonly loaded: Loaded;
  /** The log that the commit writes to; undefined if there was no room for one. */
  readonly firstLog: LogFile | undefined;
  readonly compactBytesMin?: number;
  readonly retryMs?: number;
}

export class Compactor {
  /** Bytes of the logs that the next snapshot replaces. */
  logBytes: number;
  /** Bytes of the last snapshot. */
  snapshotBytes: number;
  readonly #options: CompactorOptions;
  readonly #commit: GroupCommit;
  readonly #disk: Disk;
  /** Closed files that the next complete snapshot replaces. */
  #olderFiles: string[];
  /** Files that the start found, until a snapshot replaces them. */
  #restoredFiles: number;
  readonly #damaged: Set<string>;
  #openLogs: LogFile[];
  #lastGeneration: number;
  #snapshot: SnapshotWriter | undefined;
  #capture: Capture | undefined;
  #compaction: Promise<void> | undefined;
  #retry: unknown;
  #failures = 0;
  #isStopping = false;

  constructor(options: CompactorOptions) {
    const { loaded, firstLog, commit, disk } = options;
    this.#options = options;
    this.#commit = commit;
    this.#disk = disk;
    this.logBytes = loaded.logBytes;
    this.snapshotBytes = loaded.snapshotBytes;
    this.#olderFiles = loaded.files.map(({ name }) => name);
    this.#restoredFiles = loaded.files.length;
    this.#damaged = new Set(loaded.damaged);
    this.#openLogs = firstLog === undefined ? [] : [firstLog];
    this.#lastGeneration = loaded.lastGeneration + 1;
  }

  /** Enables snapshots. Begins one at once if a file is damaged or no log could be created. */
  useCapture(capture: Capture): void {
    this.#capture = capture;
    if (this.#damaged.size > 0 || this.#commit.state === 'broken') void this.compact();
    else this.logGrew(0);
  }

  /** To be called when bytes were added to the log: begins a snapshot if one is due. */
  logGrew(bytes: number): void {
    this.logBytes += bytes;
    const bytesMin = this.#options.compactBytesMin ?? COMPACT_BYTES_MIN;
    const isLarge = this.logBytes > Math.max(this.snapshotBytes, bytesMin);
    const isDue = isLarge || this.#restoredFiles > RESTORED_FILES_MAX;
    const isPossible = this.#capture !== undefined && this.#retry === undefined;
    if (isDue && isPossible && !this.#isStopping) void this.compact();
  }

  /** Writes the snapshot that the files need after a failure of the disk. */
  recoverSoon(afterMs: number): void {
    if (this.#isStopping || this.#compaction !== undefined) return;
    this.#retryAfter(afterMs, () => void this.compact());
  }

  /** Writes a snapshot and removes the files that it replaces. One at a time; never rejects. */
  compact(): Promise<void> {
    this.#compaction ??= this.#compactOnce().then((isDone) => {
      this.#compaction = undefined;
      if (this.#commit.state === 'broken') this.recoverSoon(this.#retryMs);
      else if (!isDone && !this.#isStopping) this.#pause();
    });
    return this.#compaction;
  }

  /** Aborts a snapshot in progress. Resolves when no compaction runs or will run. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#options.timers.clearTimeout(this.#retry);
    this.#snapshot?.abort();
    this.#commit.cancelRotation();
    await this.#compaction;
  }

  /** Closes the logs that satisfy the condition; all by default. */
  async closeLogs(condition: (log: LogFile) => boolean = () => true): Promise<void> {
    const closing = this.#openLogs.filter(condition);
    this.#openLogs = this.#openLogs.filter((log) => !condition(log));
    for (const { file } of closing) await settled((done) => file.close(done)).catch(ignore);
  }

  get #retryMs(): number {
    return this.#options.retryMs ?? RETRY_MS;
  }

  async #compactOnce(): Promise<boolean> {
    const { log } = this.#options;
    const capture = this.#capture;
    if (capture === undefined) return true;
    const startedAt = performance.now();
    const generation = this.#lastGeneration + 1;
    this.#lastGeneration = generation;
    const file = fileName('snapshot', generation);
    const replaced = [...this.#olderFiles, ...this.#openLogs.map(logName)];
    const isRecovery = this.#commit.state === 'broken';
    try {
      await this.#rotate(generation, isRecovery);
      const bytes = await this.#replace(generation, capture);
      if (isRecovery) this.#commit.recovered();
      this.#failures = 0;
      this.snapshotBytes = bytes;
      const ms = Math.round(performance.now() - startedAt);
      log.info('snapshot written', { file, bytes, ms });
    } catch (error) {
      // During a recovery the commit reports the failure.
      if (!(this.#isStopping || isRecovery)) {
        log.warn('snapshot failed', { file, error: describeSystemError(error, 'write') });
      }
      await this.#cleanUp(generation, isRecovery, error);
      return false;
    }
    await this.#removeFiles(replaced, file);
    return true;
  }

  /** Writes a snapshot that, together with the log of its generation, replaces all earlier files. */
  async #replace(generation: number, capture: Capture): Promise<number> {
    const { breaks } = this.#commit;
    const name = fileName('snapshot', generation);
    const bytes = await this.#writeSnapshot(generation, capture);
    // Changes made behind the walk are only in the log: without them the snapshot is inconsistent.
    const isLogged = await this.#commit.whenLogged();
    if (isLogged) {
      await this.#disk.rename(name + TEMPORARY_SUFFIX, name);
      await this.#disk.syncNames();
    }
    if (!isLogged || this.#commit.breaks !== breaks) throw new Error('the log broke off');
    return bytes;
  }

  /** After a failed snapshot. */
  async #cleanUp(generation: number, isRecovery: boolean, error: unknown): Promise<void> {
    if (this.#commit.state === 'broken') this.#commit.breakAgain(error);
    const snapshot = fileName('snapshot', generation);
    const names = [snapshot + TEMPORARY_SUFFIX, snapshot];
    // The log stays if it may contain acknowledged changes, unless it needs the failed snapshot.
    if (isRecovery || this.#commit.generation !== generation) {
      await this.closeLogs((log) => log.generation === generation);
      // Removed after the snapshot, which would be incomplete without it.
      names.push(fileName('log', generation));
    }
    try {
      for (const name of names) await this.#disk.remove(name);
    } catch {
      this.#olderFiles.push(...names);
    }
  }

  /** Directs the records to the log of the new generation. */
  async #rotate(generation: number, isRecovery: boolean): Promise<void> {
    const file = await createLog(this.#disk, generation, this.#options.run, isRecovery);
    this.#openLogs.push(file);
    if (this.#isStopping) throw new Error('stopping');
    if (isRecovery) {
      this.#commit.restart(file);
    } else {
      const isRotated = await new Promise<boolean>((done) => this.#commit.rotate(file, done));
      if (!isRotated) throw new Error('the log broke off before the snapshot');
    }
    this.logBytes += file.length;
  }

  async #writeSnapshot(generation: number, capture: Capture): Promise<number> {
    const { numbering, now, timers, run } = this.#options;
    const file = await this.#disk.create(fileName('snapshot', generation) + TEMPORARY_SUFFIX);
    try {
      this.#snapshot = new SnapshotWriter({ file, generation, run }, numbering, now, timers);
      return await this.#snapshot.write(capture);
    } finally {
      this.#snapshot = undefined;
      await settled((done) => file.close(done)).catch(ignore);
    }
  }

  /** Postpones the next snapshot after one that failed, for example because the disk is full. */
  #pause(): void {
    this.#retryAfter(this.#retryMs * 2 ** this.#failures, () => this.logGrew(0));
    this.#failures = Math.min(DOUBLINGS_MAX, this.#failures + 1);
  }

  #retryAfter(ms: number, retry: () => void): void {
    const { timers } = this.#options;
    timers.clearTimeout(this.#retry);
    this.#retry = timers.setTimeout(() => {
      this.#retry = undefined;
      retry();
    }, ms);
  }

  /** Removes replaced files. One that cannot be removed now is removed after the next snapshot. */
  async #removeFiles(names: readonly string[], replacement: string): Promise<void> {
    const current = this.#commit.generation;
    this.#restoredFiles = 0;
    await this.closeLogs((log) => log.generation < current);
    this.logBytes = this.#openLogs.reduce((sum, { length }) => sum + length, 0);
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

  async #setAside(name: string): Promise<void> {
    const aside = `${DAMAGED_PREFIX}${name}`;
    await this.#disk.rename(name, aside);
    this.#options.log.warn('damaged file set aside', { file: name, as: aside });
    const kept = this.#disk.list().filter((other) => other.startsWith(DAMAGED_PREFIX));
    for (const oldest of kept.sort().slice(0, -DAMAGED_FILES_MAX)) await this.#disk.remove(oldest);
  }
}

function ignore(): void {}
