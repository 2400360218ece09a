// The file system as the journal uses it, and its implementation for a real folder. Tests substitute a
// disk that is full, slow or broken, or that loses power.

import * as fs from 'node:fs';
import { join } from 'node:path';
import { StorageError } from './storage-error.ts';

export type Done = (error: Error | null) => void;

/** A file open for writing. The caller waits for each call to finish before it makes the next. */
export interface WritableFile {
  /** Calls back when everything is written, or at the first error; part of it may be written then. */
  write(buffers: readonly Buffer[], position: number, done: Done): void;
  /** Calls back when all written bytes are on the disk. */
  sync(done: Done): void;
  close(done: Done): void;
}

export interface ReadableFile {
  readonly size: number;
  /** Up to `length` bytes; fewer at the end of the file. */
  read(position: number, length: number): Buffer;
  close(): void;
}

export interface Disk {
  list(): readonly string[];
  /** @throws StorageError if the file is a symbolic link, else the system's error */
  open(name: string): ReadableFile;
  /** Truncates the file to `length` bytes; returns when the remaining bytes are on the disk. */
  cut(name: string, length: number): void;
  /** Creates an empty file; an existing one is removed first, and never written to. */
  create(name: string): Promise<WritableFile>;
  rename(from: string, to: string): Promise<void>;
  remove(name: string): Promise<void>;
  /** Resolves when created, changed and removed names are on the disk. */
  syncNames(): Promise<void>;
}

export class FolderDisk implements Disk {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  list(): readonly string[] {
    return fs.readdirSync(this.#folder);
  }

  open(name: string): ReadableFile {
    const fd = openWithoutLinks(join(this.#folder, name), fs.constants.O_RDONLY);
    return {
      size: fs.fstatSync(fd).size,
      read: (position, length) => {
        const buffer = Buffer.allocUnsafeSlow(length);
        let filled = 0;
        while (filled < length) {
          const got = fs.readSync(fd, buffer, filled, length - filled, position + filled);
          if (got === 0) break;
          filled += got;
        }
        return buffer.subarray(0, filled);
      },
      close: () => fs.closeSync(fd),
    };
  }

  cut(name: string, length: number): void {
    const fd = openWithoutLinks(join(this.#folder, name), fs.constants.O_RDWR);
    try {
      fs.ftruncateSync(fd, length);
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  }

  async create(name: string): Promise<WritableFile> {
    await this.remove(name);
    const path = join(this.#folder, name);
    return new Promise((resolve, reject) => {
      // Exclusively: another user's file or link of this name is neither followed nor written to.
      fs.open(path, 'wx', 0o600, (error, fd) => {
        if (error === null) resolve(new FolderFile(fd));
        else reject(error);
      });
    });
  }

  rename(from: string, to: string): Promise<void> {
    return fs.promises.rename(join(this.#folder, from), join(this.#folder, to));
  }

  remove(name: string): Promise<void> {
    return fs.promises.rm(join(this.#folder, name), { force: true });
  }

  async syncNames(): Promise<void> {
    const handle = await fs.promises.open(this.#folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
}

/** @throws StorageError for a symbolic link, which could lead to a file outside the folder */
function openWithoutLinks(path: string, flags: number): number {
  try {
    // Windows has no such flag.
    return fs.openSync(path, flags | (fs.constants.O_NOFOLLOW ?? 0));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ELOOP') throw error;
    throw new StorageError(
      `${path} is a symbolic link; the data folder may contain regular files only`,
    );
  }
}

class FolderFile implements WritableFile {
  readonly #fd: number;
  #isBusy = false;
  #closed: Done | undefined;

  constructor(fd: number) {
    this.#fd = fd;
  }

  write(buffers: readonly Buffer[], position: number, done: Done): void {
    this.#isBusy = true;
    fs.writev(this.#fd, buffers, position, (error, written) => {
      const rest = error === null ? withoutFirst(buffers, written) : [];
      if (rest.length > 0 && written > 0) this.write(rest, position + written, done);
      else this.#end(done, error ?? (rest.length > 0 ? new Error('the disk wrote 0 bytes') : null));
    });
  }

  sync(done: Done): void {
    this.#isBusy = true;
    fs.fdatasync(this.#fd, (error) => this.#end(done, error));
  }

  /** Waits for a call in progress: the system may reuse a closed descriptor number immediately. */
  close(done: Done): void {
    if (this.#isBusy) this.#closed = done;
    else fs.close(this.#fd, done);
  }

  #end(done: Done, error: Error | null): void {
    this.#isBusy = false;
    if (this.#closed !== undefined) fs.close(this.#fd, this.#closed);
    done(error);
  }
}

function withoutFirst(buffers: readonly Buffer[], bytes: number): Buffer[] {
  const rest: Buffer[] = [];
  let skip = bytes;
  for (const buffer of buffers) {
    if (skip < buffer.length) rest.push(skip > 0 ? buffer.subarray(skip) : buffer);
    skip = Math.max(0, skip - buffer.length);
  }
  return rest;
}
