// A file that decides on access, with the last good version of what was read from it. A new version
// that is wrong changes nothing.

import { readFile } from 'node:fs/promises';
import { AccessError } from './access-error.ts';

/** Larger ones are no such files. */
const FILE_BYTES_MAX = 67_108_864;

export class ReloadableFile<T> {
  readonly path: string;
  readonly #parse: (path: string, source: string) => T;
  value: T;

  private constructor(path: string, parse: (path: string, source: string) => T, value: T) {
    this.path = path;
    this.#parse = parse;
    this.value = value;
  }

  /** Rejects with AccessError. @param parse throws AccessError where the text is wrong */
  static async open<T>(
    path: string,
    parse: (path: string, source: string) => T,
  ): Promise<ReloadableFile<T>> {
    return new ReloadableFile(path, parse, parse(path, await readText(path)));
  }

  /** Rejects with AccessError; `value` is then what it was. */
  async reload(): Promise<void> {
    this.value = this.#parse(this.path, await readText(this.path));
  }
}

async function readText(path: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new AccessError([`can't read ${path}: ${reason}`]);
  }
  if (bytes.length > FILE_BYTES_MAX) throw new AccessError([`${path}: the file is too large`]);
  return bytes.toString('utf8');
}
