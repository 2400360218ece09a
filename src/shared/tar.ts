// Headers of tar archives (POSIX ustar): regular files with short names only. What follows a header is
// the content, padded to whole blocks; two empty blocks end the archive.
//
//   header, 512 bytes     0  name, 100 bytes, ended by 0
//                       100  mode, 108 uid, 116 gid: octal, 7 digits and 0
//                       124  size, octal, 11 digits and 0
//                       136  modification time, seconds since 1970, in the same form
//                       148  checksum: sum of all bytes, with these 8 counted as spaces
//                       156  type: '0' a regular file
//                       257  "ustar\0" "00"

export const TAR_BLOCK_BYTES = 512;
/** Eleven octal digits. */
export const TAR_FILE_BYTES_MAX = 8 ** 11 - 1;

const NAME_BYTES_MAX = 99;
const CHECKSUM_AT = 148;
const CHECKSUM_BYTES = 8;
const TYPE_AT = 156;
const MAGIC_AT = 257;
const MAGIC = 'ustar\u000000';

export interface TarEntry {
  readonly name: string;
  readonly bytes: number;
}

/** @param modifiedAt ms since 1970 */
export function encodeTarHeader({ name, bytes }: TarEntry, modifiedAt: number): Buffer {
  if (Buffer.byteLength(name) > NAME_BYTES_MAX || bytes > TAR_FILE_BYTES_MAX) {
    throw new Error(`${name} does not fit into a tar archive`);
  }
  const header = Buffer.alloc(TAR_BLOCK_BYTES);
  const octal = (value: number, digits: number, at: number): void => {
    header.write(value.toString(8).padStart(digits, '0'), at, 'latin1');
  };
  header.write(name, 'utf8');
  octal(0o600, 7, 100);
  octal(0, 7, 108);
  octal(0, 7, 116);
  octal(bytes, 11, 124);
  octal(Math.floor(modifiedAt / 1000), 11, 136);
  header.write('0', TYPE_AT, 'latin1');
  header.write(MAGIC, MAGIC_AT, 'latin1');
  octal(checksumOf(header), 6, CHECKSUM_AT);
  header.write('\0 ', CHECKSUM_AT + 6, 'latin1');
  return header;
}

/** @returns 'end' for an empty block; undefined if it is no header of a regular file */
export function decodeTarHeader(header: Buffer): TarEntry | 'end' | undefined {
  if (header.every((byte) => byte === 0)) return 'end';
  const octal = (at: number, length: number): number =>
    Number.parseInt(header.toString('latin1', at, at + length), 8);
  const isFile = header[TYPE_AT] === 0x30;
  const bytes = octal(124, 11);
  const isIntact = octal(CHECKSUM_AT, 6) === checksumOf(header);
  if (!isIntact || !isFile || !(bytes >= 0)) return undefined;
  const end = header.indexOf(0);
  return { name: header.toString('utf8', 0, Math.min(end, NAME_BYTES_MAX + 1)), bytes };
}

/** Zero bytes behind a content of this size. */
export function tarPadding(bytes: number): number {
  return (TAR_BLOCK_BYTES - (bytes % TAR_BLOCK_BYTES)) % TAR_BLOCK_BYTES;
}

function checksumOf(header: Buffer): number {
  let sum = 0x20 * CHECKSUM_BYTES;
  for (const [at, byte] of header.entries()) {
    if (at < CHECKSUM_AT || at >= CHECKSUM_AT + CHECKSUM_BYTES) sum += byte;
  }
  return sum;
}
