// Why a file can't be read or written, in words for its user. The path is not in them: whoever tells
// the fault has named it already. Unknown faults are told as the system tells them.

const WORDS_OF_WRITING: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such folder',
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EROFS: 'the disk is mounted read-only',
  ENOSPC: 'the disk is full',
};

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file: a part of its path is a file, not a folder',
  EISDIR: 'is a folder, not a file',
  EACCES: 'this user may not read it',
  EPERM: 'this user may not read it',
  ELOOP: 'its links lead in a circle',
};

export function writeFault(error: unknown): string {
  const { code = '' } = error as NodeJS.ErrnoException;
  return WORDS_OF_WRITING[code] ?? fileFault(error);
}

export function fileFault(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code = '', message } = error as NodeJS.ErrnoException;
  // As Node says it: "EIO: i/o error, open '/path'".
  return WORDS[code] ?? message.replace(/, \w+( '.*')?$/, '');
}
