// A file that decides on access, and its last valid contents. An invalid new version changes nothing.

import { isUtf8 } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import { describeSystemError } from '../shared/describe-system-error.ts';
import { AccessError } from './access-error.ts';

/** A larger file is the wrong file. */
const FILE_BYTES_MAX = 67_108_864;

export class ReloadableFile<T> {
  /** The option that names the file, such as -auth; begins the message about an unreadable file. */
  readonly option: string;
  readonly path: string;
  readonly #parse: (path: string, source: string) => T;
  value: T;

  private constructor(
    option: string,
    path: string,
    parse: (path: string, source: string) => T,
    value: T,
  ) {
    this.option = option;
    this.path = path;
    this.#parse = parse;
    this.value = value;
  }

  /** Rejects with AccessError. @param parse throws AccessError for an invalid text */
  static async open<T>(
    option: string,
    path: string,
    parse: (path: string, source: string) => T,
  ): Promise<ReloadableFile<T>> {
    return new ReloadableFile(option, path, parse, parse(path, await readText(option, path)));
  }

  /** Rejects with AccessError, and then keeps `value`. */
  async reload(): Promise<void> {
    this.value = this.#parse(this.path, await readText(this.option, this.path));
  }
}

async function readText(option: string, path: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new AccessError([`${option}=${path}: ${describeSystemError(error, 'read')}`]);
  }
  if (bytes.length > FILE_BYTES_MAX) throw new AccessError([`${path}: the file is too large`]);
  // Decoding other bytes would weaken a random secret, and break a denial.
  if (!isUtf8(bytes)) throw new AccessError([`${path}: is not UTF-8 text`]);
  return bytes.toString('utf8');
}
