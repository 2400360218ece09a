// Logs as files: making one, so that it outlives a power cut before anything is told to it, and what
// stands in for one where there is no room. Knows no record.

import type { Disk, WritableFile } from './disk.ts';
import { encodeHeader } from './file-format.ts';
import { fileName } from './file-names.ts';
import { settled } from './snapshot-writer.ts';

/** A log that is being written. */
export interface LogFile {
  readonly generation: number;
  readonly file: WritableFile;
  /** How far it is written and safe. */
  length: number;
}

/** Stands where there is no log; nothing is ever written to it. */
export const noLog: LogFile = {
  generation: 0,
  length: 0,
  file: { write: ignore, sync: ignore, close: (done) => done(null) },
};

/** What can't be removed is stale at the next start, too. */
export async function removeStale(disk: Disk, names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  try {
    // What stands for them first: it may have its name only since a moment.
    await disk.syncNames();
    for (const name of names) await disk.remove(name);
  } catch {}
}

/** @returns the error of a disk that is full, which is no reason not to start */
export async function firstLog(
  disk: Disk,
  generation: number,
  run: bigint,
): Promise<LogFile | Error> {
  try {
    return await createLog(disk, generation, run, false);
  } catch (error) {
    if (!(error instanceof Error && /ENOSPC|EDQUOT/.test(error.message))) throw error;
    await disk.remove(fileName('log', generation)).catch(ignore);
    return error;
  }
}

export async function createLog(
  disk: Disk,
  generation: number,
  run: bigint,
  needsSnapshot: boolean,
): Promise<LogFile> {
  const file = await disk.create(fileName('log', generation));
  const header = encodeHeader({ kind: 'log', needsSnapshot, generation, run });
  try {
    await settled((done) => file.write([header], 0, done));
    await settled((done) => file.sync(done));
    await disk.syncNames();
  } catch (error) {
    await settled((done) => file.close(done)).catch(ignore);
    throw error;
  }
  return { generation, file, length: header.length };
}

export function logName({ generation }: LogFile): string {
  return fileName('log', generation);
}

function ignore(): void {}
