// Log files: creates one that survives a power cut before any record goes into it, and provides a
// placeholder for a disk without room. Does not know records.

import type { Disk, WritableFile } from './disk.ts';
import { encodeHeader } from './file-format.ts';
import { fileName } from './file-names.ts';
import { settled } from './snapshot-writer.ts';

/** A log that is open for writing. */
export interface LogFile {
  readonly generation: number;
  readonly file: WritableFile;
  /** Bytes that are written and synced. */
  length: number;
}

/** Placeholder while no log can be created; it is never written to. */
export const noLog: LogFile = {
  generation: 0,
  length: 0,
  file: { write: ignore, sync: ignore, close: (done) => done(null) },
};

/** Removes files that are no longer needed. One that cannot be removed is found again at the next start. */
export async function removeStale(disk: Disk, names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  try {
    // The files that replace them may have received their names only a moment ago.
    await disk.syncNames();
    for (const name of names) await disk.remove(name);
  } catch {}
}

/** @returns the error if the disk is full, which must not prevent the start */
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
