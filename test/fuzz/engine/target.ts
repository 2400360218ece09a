// What the fuzz engine needs of a target. A target takes any bytes; it throws if the code under test throws, breaks an
// invariant, or keeps more than it may.

import assert from 'node:assert/strict';
import { filesUnder } from '../../support/source-files.ts';

export interface FuzzTarget {
  /** Its inputs are in test/fuzz/corpus, in a folder of this name. */
  readonly name: string;
  /** What the bytes are, for the table in docs/testing.md. */
  readonly what: string;
  readonly bytesMax: number;
  readonly words: readonly (string | Buffer)[];
  /** Whether reaching new code of this script is progress; none counts where coverage does not pay. */
  covers(url: string): boolean;
  run(input: Buffer): void | Promise<void>;
}

const files = filesUnder('src', '.ts');

/**
 * For FuzzTarget.covers: any file of the sources with one of these in its path.
 * @throws AssertionError for a part that is in no path
 */
export function sources(...parts: readonly string[]): (url: string) => boolean {
  const unknown = parts.filter((part) => !files.some((file) => file.includes(part)));
  assert.deepEqual(unknown, [], 'in no path of the sources');
  return (url) => url.includes('/src/') && parts.some((part) => url.includes(part));
}
