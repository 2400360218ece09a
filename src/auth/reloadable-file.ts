// A file that decides on access, with the last good version of what was read from it. A new version
// that is wrong changes nothing.

import { isUtf8 } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import { describeSystemError } from '../shared/describe-system-error.ts';
import { AccessError } from './access-error.ts';

/** Larger ones are no such files. */
const FILE_BYTES_MAX = 67_108_864;

export class ReloadableFile<T> {
  /** As -auth: begins what is said of a file that can't be read. */
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

  /** Rejects with AccessError. @param parse throws AccessError where the text is wrong */
  static async open<T>(
    option: string,
    path: string,
    parse: (path: string, source: string) => T,
  ): Promise<ReloadableFile<T>> {
    return new ReloadableFile(option, path, parse, parse(path, await readText(option, path)));
  }

  /** Rejects with AccessError; `value` is then what it was. */
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
  // Read nevertheless, a secret of random bytes would be weaker than it is, and a denial say nothing.
  if (!isUtf8(bytes)) throw new AccessError([`${path}: is not text in UTF-8`]);
  return bytes.toString('utf8');
}
