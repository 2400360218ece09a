// A consistent copy of a data folder, also while a node writes to it: the open files of one moment, each
// up to the size that it had then. Logs only grow, snapshots never change, and an open file stays readable
// after its name is removed; so the copy is what a power cut at that moment would have left.
// Reads only; checkCopy() judges a copy before it is used.

import { performance } from 'node:perf_hooks';
import type { LogFields, Logger } from '../shared/logger.ts';
import { type Disk, FolderDisk, type ReadableFile } from './disk.ts';
import { dataFiles } from './file-names.ts';
import { loadFolder } from './loader.ts';
import { StorageError } from './storage-error.ts';

/** A compaction may remove files between the listing and the opening. */
const TRIES_MAX = 20;

export interface CopiedFile {
  readonly name: string;
  /** Of fixed size; to be closed by the caller. */
  readonly file: ReadableFile;
}

/** What a copy contains. */
export interface CopySummary {
  readonly sessions: number;
  readonly retained: number;
  /** One sentence for each damage; empty if the copy is intact. */
  readonly faults: readonly string[];
}

/** @throws StorageError if the folder holds no data or changes too often; the system's errors */
export function openFolderCopy(folder: string, disk: Disk = new FolderDisk(folder)): CopiedFile[] {
  for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
    const names = namesIn(disk);
    if (names.length === 0) throw new StorageError(`${folder} holds no data of Shoal`);
    const files = openAll(disk, names);
    // The same names before and after: no log began meanwhile, so no file lacks what a later one builds on.
    if (files !== undefined && namesIn(disk).join() === names.join()) return files;
    for (const { file } of files ?? []) file.close();
  }
  throw new StorageError(`the files in ${folder} change too often to be copied; try again`);
}

/** Reads the copy as a node would at its start. Cuts the torn end of a log off. */
export function checkCopy(folder: string): CopySummary {
  const faults: string[] = [];
  const warn = (event: string, fields: LogFields = {}): void => {
    faults.push([fields.file, event, fields.reason ?? fields.error].filter(Boolean).join(': '));
  };
  const ignore = (): void => undefined;
  const log: Logger = { debug: ignore, info: ignore, warn, error: warn };
  const present = { wall: Date.now(), mono: performance.now() };
  const { state } = loadFolder(new FolderDisk(folder), log, present);
  const count = (items: Iterable<unknown>): number => [...items].length;
  return { sessions: count(state.sessions), retained: count(state.retained), faults };
}

function namesIn(disk: Disk): string[] {
  return dataFiles(disk.list()).map(({ name }) => name);
}

/** @returns undefined if a file has gone meanwhile */
function openAll(disk: Disk, names: readonly string[]): CopiedFile[] | undefined {
  const files: CopiedFile[] = [];
  try {
    for (const name of names) files.push({ name, file: disk.open(name) });
    return files;
  } catch (error) {
    for (const { file } of files) file.close();
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
