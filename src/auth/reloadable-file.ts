// A file that decides on access, and its last valid contents. An invalid new version changes nothing.

import { isUtf8 } from 'node:buffer';
import { type FileHandle, open } from 'node:fs/promises';
import { describeSystemError } from '../shared/describe-system-error.ts';
import { AccessError } from './access-error.ts';

/** A larger file is the wrong file. */
const FILE_BYTES_MAX = 67_108_864;
const CHUNK_BYTES = 262_144;

/**
 * Parses a file without occupying the event loop. Rejects with AccessError for an invalid text.
 * @param source UTF-8
 * @param previous what the last valid version gave
 */
export type Parse<T> = (path: string, source: Buffer, previous: T | undefined) => Promise<T>;

export class ReloadableFile<T> {
  /** The option that names the file, such as -auth; begins the message about an unreadable file. */
  readonly option: string;
  readonly path: string;
  readonly #parse: Parse<T>;
  value: T;

  private constructor(option: string, path: string, parse: Parse<T>, value: T) {
    this.option = option;
    this.path = path;
    this.#parse = parse;
    this.value = value;
  }

  /** Rejects with AccessError. */
  static async open<T>(option: string, path: string, parse: Parse<T>): Promise<ReloadableFile<T>> {
    const value = await parse(path, await readFile(option, path), undefined);
    return new ReloadableFile(option, path, parse, value);
  }

  /** Rejects with AccessError, and then keeps `value`. */
  async reload(): Promise<void> {
    const source = await readFile(this.option, this.path);
    this.value = await this.#parse(this.path, source, this.value);
  }
}

async function readFile(option: string, path: string): Promise<Buffer> {
  let bytes: Buffer | undefined;
  try {
    const file = await open(path);
    try {
      bytes = await readBounded(file);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new AccessError([`${option}=${path}: ${describeSystemError(error, 'read')}`]);
  }
  if (bytes === undefined) throw new AccessError([`${path}: the file is too large`]);
  // Decoding other bytes would weaken a random secret, and break a denial.
  if (!isUtf8(bytes)) throw new AccessError([`${path}: is not UTF-8 text`]);
  return bytes;
}

/** Undefined if the file is too large, or a device without an end. */
async function readBounded(file: FileHandle): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  while (length <= FILE_BYTES_MAX) {
    const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES, null);
    if (bytesRead === 0) return Buffer.concat(chunks, length);
    chunks.push(chunk.subarray(0, bytesRead));
    length += bytesRead;
  }
  return undefined;
}
