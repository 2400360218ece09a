// The archive of `backup` and `restore`: a gzipped tar of the data files. Written under another name and
// renamed at the end, so that a file with the given name is always whole. What is read is checked: only
// data files, no paths, no links, no name twice, and no more than the disk has room for.

import { createReadStream, createWriteStream } from 'node:fs';
import { open, rename, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import {
  decodeTarHeader,
  encodeTarHeader,
  TAR_BLOCK_BYTES,
  type TarEntry,
  tarPadding,
} from '../../shared/tar.ts';
import { formatBytes } from '../../shared/units.ts';
import { dataFiles } from '../../storage/file-names.ts';
import type { CopiedFile } from '../../storage/folder-copy.ts';

const CHUNK_BYTES = 1_048_576;
/** Left free on the disk, since a few kilobytes can say that they unpack to terabytes. */
const RESERVE_BYTES = 67_108_864;

/** An archive that is damaged, or none of ours. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError';
}

/** @param progress called with the bytes that are written so far */
export async function writeArchive(
  path: string,
  files: readonly CopiedFile[],
  progress: (bytes: number) => void,
): Promise<void> {
  const temporary = `${path}.part`;
  try {
    // Exclusively, and for the owner alone: it contains every retained message.
    const output = createWriteStream(temporary, { flags: 'wx', mode: 0o600, flush: true });
    await pipeline(Readable.from(tarOf(files, progress)), createGzip({ level: 6 }), output);
    await rename(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') await rm(temporary, { force: true });
    throw error;
  }
}

function* tarOf(files: readonly CopiedFile[], progress: (bytes: number) => void): Iterable<Buffer> {
  let done = 0;
  for (const { name, file } of files) {
    yield encodeTarHeader({ name, bytes: file.size }, Date.now());
    for (let at = 0; at < file.size; at += CHUNK_BYTES) {
      const chunk = file.read(at, Math.min(CHUNK_BYTES, file.size - at));
      yield chunk;
      done += chunk.length;
      progress(done);
    }
    yield Buffer.alloc(tarPadding(file.size));
  }
  yield Buffer.alloc(2 * TAR_BLOCK_BYTES);
}

/**
 * Writes the files of an archive into an empty folder and syncs them.
 * @param progress called with the bytes of the archive that are read so far
 * @param freeBytes room on the disk of the folder
 * @returns their names. Rejects with ArchiveError
 */
export async function readArchive(
  path: string,
  folder: string,
  progress: (bytes: number) => void,
  freeBytes: (folder: string) => Promise<number> = freeBytesAt,
): Promise<string[]> {
  const input = createReadStream(path, { highWaterMark: CHUNK_BYTES });
  const gunzip = createGunzip();
  const bytes = new ByteQueue(gunzip);
  // An error of the input ends the queue, which then throws it.
  const piped = pipeline(input, gunzip).catch((error: unknown) => bytes.fail(error));
  const names: string[] = [];
  try {
    for (;;) {
      const header = decodeTarHeader(await bytes.take(TAR_BLOCK_BYTES));
      if (header === 'end') break;
      if (header === undefined || dataFiles([header.name]).length === 0) {
        throw new ArchiveError('is not a Shoal backup, or is damaged');
      }
      if (names.includes(header.name)) {
        throw new ArchiveError(`is damaged: ${header.name} is in it twice`);
      }
      if (header.bytes + RESERVE_BYTES > (await freeBytes(folder))) {
        throw new ArchiveError(
          `unpacks to more than the disk has room for: ${header.name} alone has ${formatBytes(header.bytes)}`,
        );
      }
      await extract(header, bytes, folder, () => progress(input.bytesRead));
      names.push(header.name);
    }
    // The checksum of gzip comes last.
    await bytes.end();
  } finally {
    gunzip.destroy();
    await piped;
  }
  if (names.length === 0) throw new ArchiveError('is not a Shoal backup: it has no files');
  return names;
}

async function freeBytesAt(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

async function extract(
  { name, bytes: size }: TarEntry,
  bytes: ByteQueue,
  folder: string,
  progress: () => void,
): Promise<void> {
  const file = await open(join(folder, name), 'wx', 0o600);
  try {
    for (let left = size; left > 0; ) {
      const chunk = await bytes.take(Math.min(left, CHUNK_BYTES));
      await file.writeFile(chunk);
      left -= chunk.length;
      progress();
    }
    await file.sync();
  } finally {
    await file.close();
  }
  await bytes.take(tarPadding(size));
}

/** Takes bytes by their number from a stream of chunks. */
class ByteQueue {
  readonly #chunks: AsyncIterator<Buffer>;
  #held: Buffer = Buffer.alloc(0);
  #fault: unknown;

  constructor(stream: AsyncIterable<Buffer>) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  fail(error: unknown): void {
    this.#fault ??= error;
  }

  async take(count: number): Promise<Buffer> {
    while (this.#held.length < count) {
      const { value, done } = await this.#next();
      if (done === true) throw this.#fault ?? new ArchiveError('ends too early: it is damaged');
      this.#held = this.#held.length === 0 ? value : Buffer.concat([this.#held, value]);
    }
    const taken = this.#held.subarray(0, count);
    this.#held = this.#held.subarray(count);
    return taken;
  }

  /** Reads to the end, which is near. */
  async end(): Promise<void> {
    for (let bytes = this.#held.length; bytes <= CHUNK_BYTES; ) {
      const { value, done } = await this.#next();
      if (done !== true) bytes += value.length;
      else if (this.#fault === undefined) return;
      else throw this.#fault;
    }
    throw new ArchiveError('has more behind its end: it is damaged');
  }

  async #next(): Promise<IteratorResult<Buffer>> {
    try {
      return await this.#chunks.next();
    } catch (error) {
      throw isOfSystem(this.#fault)
        ? this.#fault
        : isOfSystem(error)
          ? error
          : new ArchiveError('is not a Shoal backup, or is damaged');
    }
  }
}

/** True for an error of the disk; false for one of zlib, which says that the bytes are wrong. */
function isOfSystem(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.syscall !== undefined;
}
