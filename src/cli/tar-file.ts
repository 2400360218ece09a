// A .tgz of a few files in memory: for `shoal doctor -bundle`, and for the archives of a release. Source:
// POSIX.1-1988, the ustar header.

import { gzipSync } from 'node:zlib';

const BLOCK_BYTES = 512;
/** Of a header: where the sum of its bytes is, which counts as spaces while it is computed. */
const CHECKSUM_AT = 148;
const CHECKSUM_BYTES = 8;

export interface TarEntry {
  /** ASCII, at most 100 characters. */
  readonly name: string;
  readonly content: string | Buffer;
  /** Rights as of chmod; 0o600 by default. */
  readonly mode?: number;
}

export function tarGz(entries: readonly TarEntry[], nowMs: number): Buffer {
  const blocks = entries.flatMap((entry) => {
    const content = Buffer.from(entry.content);
    const padding = Buffer.alloc((BLOCK_BYTES - (content.length % BLOCK_BYTES)) % BLOCK_BYTES);
    return [header(entry, content.length, nowMs), content, padding];
  });
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK_BYTES)]));
}

function header({ name, mode = 0o600 }: TarEntry, bytes: number, nowMs: number): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  block.write(name, 0, 100, 'ascii');
  writeOctal(block, mode, 100, 8);
  writeOctal(block, 0, 108, 8);
  writeOctal(block, 0, 116, 8);
  writeOctal(block, bytes, 124, 12);
  writeOctal(block, Math.max(0, Math.floor(nowMs / 1000)), 136, 12);
  block.fill(' ', CHECKSUM_AT, CHECKSUM_AT + CHECKSUM_BYTES);
  block.write('0', 156, 'ascii');
  block.write('ustar\u000000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  writeOctal(block, sum, CHECKSUM_AT, CHECKSUM_BYTES - 1);
  return block;
}

/** Ends with a NUL, as every reader expects it. */
function writeOctal(block: Buffer, value: number, at: number, bytes: number): void {
  block.write(`${value.toString(8).padStart(bytes - 1, '0')}\0`, at, bytes, 'latin1');
}
