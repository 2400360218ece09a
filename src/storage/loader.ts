// Reads the data folder in any state of damage: cuts a torn end off, reports a damaged range and skips it.
// Refuses only files that a newer release wrote, and files that are intact but may not be read now.

import { describeSystemError } from '../shared/describe-system-error.ts';
import { type Logger, silentLogger } from '../shared/logger.ts';
import { BlockReader, type Gap } from './block-reader.ts';
import { DecodeError } from './byte-reader.ts';
import type { Disk, ReadableFile } from './disk.ts';
import {
  BLOCK_HEAD_BYTES,
  decodeHeader,
  type FileHeader,
  FORMAT_VERSION,
  HEADER_BYTES,
  type Stamp,
  stampOf,
} from './file-format.ts';
import { type DataFileName, dataFiles, TEMPORARY_SUFFIX } from './file-names.ts';
import { readRecords } from './record-reader.ts';
import { ReplayedState } from './replayed-state.ts';
import { RunClock } from './run-clock.ts';
import { StorageError } from './storage-error.ts';

/**
 * Errors that say nothing about the file's contents. Starting without the file would lose it: the next
 * snapshot replaces all files that it was made from.
 */
const TEMPORARY_ERRORS = ['EACCES', 'EPERM', 'EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EBUSY'];

export interface Loaded {
  readonly state: ReplayedState;
  /** The files that form the state, in the order of reading. */
  readonly files: readonly DataFileName[];
  /** Names of damaged files. */
  readonly damaged: ReadonlySet<string>;
  /** Files that are no longer needed. */
  readonly stale: readonly string[];
  /** Logs without a record: to be removed once the next log exists, so that no generation recurs. */
  readonly emptyLogs: readonly string[];
  readonly lastGeneration: number;
  readonly logBytes: number;
  readonly snapshotBytes: number;
}

/** The end of a log without a valid block: torn if nothing was written later, else damaged. */
interface TornEnd {
  readonly name: string;
  readonly gap: Gap;
}

/** @throws StorageError if a newer release wrote a file, or if the system does not let us read one */
export function loadFolder(disk: Disk, log: Logger, present: Stamp): Loaded {
  return new Loader(disk, log).load(present);
}

/** Changes nothing. @throws StorageError for a file that loadFolder() would refuse */
export function checkHeaders(disk: Disk): void {
  new Loader(disk, silentLogger).headers(dataFiles(disk.list()));
}

class Loader {
  readonly #disk: Disk;
  readonly #log: Logger;
  readonly #state = new ReplayedState();
  readonly #clock = new RunClock();
  readonly #damaged = new Set<string>();
  readonly #emptyLogs: string[] = [];
  #torn: TornEnd[] = [];
  /** Valid length of each log, in bytes. */
  readonly #ends = new Map<string, number>();
  #logBytes = 0;
  #snapshotBytes = 0;

  constructor(disk: Disk, log: Logger) {
    this.#disk = disk;
    this.#log = log;
  }

  load(present: Stamp): Loaded {
    const names = this.#list();
    const all = dataFiles(names);
    const headers = this.headers(all);
    const start = all.findLast(({ kind }) => kind === 'snapshot')?.generation ?? 0;
    const isAlive = ({ name, generation }: DataFileName): boolean =>
      generation >= start && (generation === start || headers.get(name)?.needsSnapshot !== true);
    for (const file of all.filter(isAlive)) this.#loadFile(file, headers.get(file.name));
    const isEmpty = ({ name }: DataFileName): boolean => this.#emptyLogs.includes(name);
    const files = all.filter((file) => isAlive(file) && !isEmpty(file));
    for (const torn of this.#torn) this.#cut(torn);
    for (const [name, end] of this.#ends) this.#makeSafe(name, end);
    this.#state.finish(this.#clock.toPresent(present));
    const temporary = names.filter((name) => name.endsWith(TEMPORARY_SUFFIX));
    return {
      state: this.#state,
      files,
      emptyLogs: this.#emptyLogs,
      damaged: this.#damaged,
      stale: [...all.filter((file) => !isAlive(file)).map(({ name }) => name), ...temporary],
      lastGeneration: all.at(-1)?.generation ?? 0,
      logBytes: this.#logBytes,
      snapshotBytes: this.#snapshotBytes,
    };
  }

  headers(files: readonly DataFileName[]): Map<string, FileHeader | undefined> {
    return new Map(files.map(({ name }) => [name, this.#header(name)]));
  }

  #header(name: string): FileHeader | undefined {
    const bytes = this.#open(name, (file) => file.read(0, HEADER_BYTES));
    const header = bytes && decodeHeader(bytes);
    if (header === undefined || header.version <= FORMAT_VERSION) return header;
    throw new StorageError(
      `${name} was written by a newer release (format ${header.version}; this release reads format ${FORMAT_VERSION}): start that release, or move the file away and lose its contents`,
    );
  }

  #loadFile(file: DataFileName, header: FileHeader | undefined): void {
    const { name, kind, generation } = file;
    const run = header?.run ?? BigInt(-1 - generation);
    let blocks = 0;
    const walk = this.#open(name, (opened) => {
      if (kind === 'log') {
        this.#logBytes += opened.size;
        this.#ends.set(name, opened.size);
        this.#state.beginLog();
      } else {
        this.#snapshotBytes = opened.size;
      }
      // The power failed after the file was created and before its header was on the disk.
      const isNew = header === undefined && opened.size <= HEADER_BYTES;
      if (isNew && kind === 'log') return { gaps: [], end: opened.size };
      if (header === undefined) this.#reportDamage(name, { start: 0, end: HEADER_BYTES });
      return new BlockReader(opened, generation).walk((block) => {
        blocks += 1;
        this.#loadBlock(name, run, block);
      });
    });
    if (walk === undefined) return;
    if (blocks > 0) this.#reportTornAsDamage();
    else if (kind === 'log' && walk.gaps.length === 0) this.#emptyLogs.push(name);
    for (const gap of walk.gaps) {
      if (kind === 'log' && gap.start === walk.end) this.#torn.push({ name, gap });
      else this.#reportDamage(name, gap);
    }
    if (kind === 'snapshot' && !this.#state.isComplete && !this.#damaged.has(name)) {
      this.#reportDamage(name, { start: walk.end, end: walk.end });
    }
  }

  #loadBlock(name: string, run: bigint, block: Buffer): void {
    this.#state.setBase(this.#clock.enter(run, stampOf(block)));
    try {
      readRecords(block.subarray(BLOCK_HEAD_BYTES), this.#state);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#damaged.add(name);
      this.#log.warn('data file damaged', { file: name, reason: error.message });
    }
  }

  /** Later blocks exist, so these ends were complete once. */
  #reportTornAsDamage(): void {
    for (const { name, gap } of this.#torn) this.#reportDamage(name, gap);
    this.#torn = [];
  }

  #reportDamage(name: string, gap: Gap): void {
    this.#damaged.add(name);
    this.#log.warn('data file damaged', {
      file: name,
      at: gap.start,
      lostBytes: gap.end - gap.start,
    });
  }

  #cut({ name, gap }: TornEnd): void {
    const lostBytes = gap.end - gap.start;
    this.#log.info('torn end of a data file cut off', { file: name, at: gap.start, lostBytes });
    this.#ends.set(name, gap.start);
  }

  /**
   * Truncates and syncs a log. A killed process left written bytes that it had not synced; a power cut
   * would remove them from under the changes that follow now.
   */
  #makeSafe(name: string, end: number): void {
    try {
      this.#disk.cut(name, end);
    } catch (error) {
      if (isTemporary(error)) throw unreadable(name, error);
      this.#damaged.add(name);
      this.#log.warn('data file could not be synced', {
        file: name,
        error: describeSystemError(error, 'write'),
      });
    }
  }

  #open<T>(name: string, use: (file: ReadableFile) => T): T | undefined {
    try {
      const file = this.#disk.open(name);
      try {
        return use(file);
      } finally {
        file.close();
      }
    } catch (error) {
      if (error instanceof StorageError) throw error;
      if (isTemporary(error)) throw unreadable(name, error);
      this.#damaged.add(name);
      this.#log.warn('data file unreadable', {
        file: name,
        error: describeSystemError(error, 'read'),
      });
      return undefined;
    }
  }

  #list(): readonly string[] {
    try {
      return this.#disk.list();
    } catch (error) {
      throw unreadable('the data folder', error);
    }
  }
}

function isTemporary(error: unknown): boolean {
  return TEMPORARY_ERRORS.includes((error as NodeJS.ErrnoException).code ?? '');
}

function unreadable(name: string, error: unknown): StorageError {
  return new StorageError(`${name} cannot be read: ${describeSystemError(error, 'read')}`);
}
