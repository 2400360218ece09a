// A disk in memory for the journal, with what real ones do: it takes time, has an end, may refuse to
// sync, and forgets at a power cut what was not synced, in part or whole, names as well as bytes.

import type { Disk, Done, ReadableFile, WritableFile } from '../../src/storage/disk.ts';

interface Contents {
  bytes: Buffer;
  syncedBytes: number;
}

type NameChange = (names: Map<string, Contents>) => void;

export class MemoryDisk implements Disk {
  /** Bytes that all files together may have. */
  capacityBytes = Number.POSITIVE_INFINITY;
  /** Syncs fail while this is set. */
  isBroken = false;
  /** Turns of the event loop that each call takes. */
  turns: () => number = () => 1;
  syncs = 0;
  readonly #names: Map<string, Contents>;
  #safeNames: Map<string, Contents>;
  #unsafeChanges: NameChange[] = [];

  constructor(files: ReadonlyMap<string, Buffer> = new Map()) {
    this.#names = new Map(
      Array.from(files, ([name, bytes]) => [name, { bytes, syncedBytes: bytes.length }]),
    );
    this.#safeNames = new Map(this.#names);
  }

  get usedBytes(): number {
    let used = 0;
    for (const { bytes } of this.#names.values()) used += bytes.length;
    return used;
  }

  /** The files as they are now, synced or not. */
  files(): Map<string, Buffer> {
    return new Map(Array.from(this.#names, ([name, { bytes }]) => [name, Buffer.from(bytes)]));
  }

  /** What is found when the power is back. */
  powerCut(random: () => number): MemoryDisk {
    const names = new Map(this.#safeNames);
    const made = Math.floor(random() * (this.#unsafeChanges.length + 1));
    for (const change of this.#unsafeChanges.slice(0, made)) change(names);
    const files = new Map<string, Buffer>();
    for (const [name, { bytes, syncedBytes }] of names) {
      const unsynced = bytes.length - syncedBytes;
      const kept = syncedBytes + Math.floor(random() * (unsynced + 1));
      const left = Buffer.from(bytes.subarray(0, kept));
      // The length was written, some of the bytes were not.
      if (random() < 0.3) left.fill(0, syncedBytes + Math.floor(random() * (kept - syncedBytes)));
      files.set(name, left);
    }
    return new MemoryDisk(files);
  }

  list(): readonly string[] {
    return [...this.#names.keys()];
  }

  open(name: string): ReadableFile {
    const { bytes } = this.#find(name);
    return {
      size: bytes.length,
      read: (position, length) => Buffer.from(bytes.subarray(position, position + length)),
      close: () => undefined,
    };
  }

  cut(name: string, length: number): void {
    const contents = this.#find(name);
    contents.bytes = contents.bytes.subarray(0, length);
    contents.syncedBytes = length;
  }

  async create(name: string): Promise<WritableFile> {
    await this.#pass();
    const contents: Contents = { bytes: Buffer.alloc(0), syncedBytes: 0 };
    this.#change((names) => names.set(name, contents));
    return {
      write: (buffers, position, done) =>
        this.#later(done, () => this.#write(contents, Buffer.concat([...buffers]), position)),
      sync: (done) =>
        this.#later(done, () => {
          this.syncs += 1;
          if (this.isBroken) throw new Error('EIO: i/o error, fdatasync');
          contents.syncedBytes = contents.bytes.length;
        }),
      close: (done) => this.#later(done, () => undefined),
    };
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#pass();
    this.#find(from);
    this.#change((names) => {
      const contents = names.get(from);
      names.delete(from);
      if (contents !== undefined) names.set(to, contents);
    });
  }

  async remove(name: string): Promise<void> {
    await this.#pass();
    this.#change((names) => names.delete(name));
  }

  async syncNames(): Promise<void> {
    await this.#pass();
    this.#safeNames = new Map(this.#names);
    this.#unsafeChanges = [];
  }

  #write(contents: Contents, added: Buffer, position: number): void {
    const room = Math.max(0, this.capacityBytes - this.usedBytes);
    const fitting = added.subarray(0, room);
    contents.bytes = Buffer.concat([contents.bytes.subarray(0, position), fitting]);
    if (fitting.length < added.length) throw new Error('ENOSPC: no space left on device, write');
  }

  #change(change: NameChange): void {
    change(this.#names);
    this.#unsafeChanges.push(change);
  }

  #find(name: string): Contents {
    const contents = this.#names.get(name);
    if (contents === undefined) throw new Error(`ENOENT: no such file, ${name}`);
    return contents;
  }

  #later(done: Done, work: () => void): void {
    void this.#pass().then(() => {
      try {
        work();
      } catch (error) {
        done(error as Error);
        return;
      }
      done(null);
    });
  }

  async #pass(): Promise<void> {
    for (let left = this.turns(); left > 0; left--) await new Promise((go) => setImmediate(go));
  }
}
