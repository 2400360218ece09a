// A disk in memory for the journal that behaves like real ones: it takes time, is full at some point,
// may fail a call, and loses unsynced data at a power cut, partly or completely, names as well as
// bytes. A failed sync loses the data it should have made safe, and a later sync that succeeds does
// not report the loss.

import type { Disk, Done, ReadableFile, WritableFile } from '../../src/storage/disk.ts';
import { systemTimers, type Timers } from '../../src/storage/timers.ts';

type Random = () => number;
const NONE: Random = () => 0;

/** A growing array of bytes. */
class ByteArray {
  #buffer: Buffer;
  length: number;

  constructor(bytes: Buffer) {
    this.#buffer = bytes;
    this.length = bytes.length;
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.length);
  }

  put(bytes: Buffer, position: number): void {
    const end = position + bytes.length;
    if (end > this.#buffer.length) {
      const larger = Buffer.alloc(end * 2);
      this.bytes.copy(larger);
      this.#buffer = larger;
    }
    bytes.copy(this.#buffer, position);
    this.length = Math.max(this.length, end);
  }

  cut(length: number): void {
    this.#buffer = Buffer.from(this.#buffer.subarray(0, length));
    this.length = length;
  }
}

interface Write {
  readonly position: number;
  readonly bytes: Buffer;
}

/** A file as processes see it, as it is on the platter, and the writes in between. */
interface Contents {
  readonly seen: ByteArray;
  readonly safe: ByteArray;
  dirty: Write[];
}

type NameChange = (names: Map<string, Contents>) => void;

const newContents = (bytes: Buffer): Contents => ({
  seen: new ByteArray(bytes),
  safe: new ByteArray(Buffer.from(bytes)),
  dirty: [],
});

export class MemoryDisk implements Disk {
  /** Maximum size of all files together, bytes. */
  capacityBytes = Number.POSITIVE_INFINITY;
  /** Syncs fail while this is set. */
  isBroken = false;
  /** Files cannot be created, renamed or removed while this is set. */
  isLocked = false;
  /** Probability that a sync, or a change of a name, fails. */
  faultRate = 0;
  /** Duration of a call in turns of the event loop, by file name; undefined is the folder. */
  turns: (name: string | undefined) => number = () => 1;
  timers: Timers = systemTimers;
  /** Decides which bytes survive a failed sync; by default none. */
  random = NONE;
  /** A sync has failed: visible data may never become safe. */
  hasForgotten = false;
  syncs = 0;
  writes = 0;
  renames = 0;
  /** Files that were created and not closed. */
  openFiles = 0;
  /** Calls on a closed file, or on a file that is busy with another call. A close waits instead. */
  readonly misuses: string[] = [];
  readonly #names: Map<string, Contents>;
  #safeNames: Map<string, Contents>;
  #unsafeChanges: NameChange[] = [];

  constructor(files: ReadonlyMap<string, Buffer> = new Map()) {
    this.#names = new Map(Array.from(files, ([name, bytes]) => [name, newContents(bytes)]));
    this.#safeNames = new Map(this.#names);
  }

  get usedBytes(): number {
    let used = 0;
    for (const { seen } of this.#names.values()) used += seen.length;
    return used;
  }

  /** The current files, synced or not. */
  files(): Map<string, Buffer> {
    return new Map(Array.from(this.#names, ([name, { seen }]) => [name, Buffer.from(seen.bytes)]));
  }

  /** The same disk for the next process, which sees all writes, safe or not. */
  processEnd(): MemoryDisk {
    const next = new MemoryDisk();
    for (const [name, contents] of this.#names) next.#names.set(name, contents);
    next.#safeNames = this.#safeNames;
    next.#unsafeChanges = this.#unsafeChanges;
    next.hasForgotten = this.hasForgotten;
    return next;
  }

  /** The disk after a power cut. */
  powerCut(random: Random): MemoryDisk {
    const names = new Map(this.#safeNames);
    const made = Math.floor(random() * (this.#unsafeChanges.length + 1));
    for (const change of this.#unsafeChanges.slice(0, made)) change(names);
    const files = new Map<string, Buffer>();
    for (const [name, { safe, dirty }] of names) {
      const left = new ByteArray(Buffer.from(safe.bytes));
      for (const write of dirty) keepSome(left, write, random);
      files.set(name, Buffer.from(left.bytes));
    }
    return new MemoryDisk(files);
  }

  list(): readonly string[] {
    return [...this.#names.keys()];
  }

  open(name: string): ReadableFile {
    const { bytes } = this.#find(name).seen;
    return {
      size: bytes.length,
      read: (position, length) => Buffer.from(bytes.subarray(position, position + length)),
      close: () => undefined,
    };
  }

  cut(name: string, length: number): void {
    const contents = this.#find(name);
    contents.seen.cut(length);
    contents.safe.cut(0);
    contents.safe.put(contents.seen.bytes, 0);
    contents.dirty = [];
  }

  async create(name: string): Promise<WritableFile> {
    await this.#pass(name);
    this.#checkLock();
    const contents = newContents(Buffer.alloc(0));
    this.#change((names) => names.set(name, contents));
    return this.#writable(name, contents);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#pass(from);
    this.#checkLock();
    this.#find(from);
    this.renames += 1;
    this.#change((names) => {
      const contents = names.get(from);
      names.delete(from);
      if (contents !== undefined) names.set(to, contents);
    });
  }

  async remove(name: string): Promise<void> {
    await this.#pass(name);
    this.#checkLock();
    this.#change((names) => names.delete(name));
  }

  async syncNames(): Promise<void> {
    await this.#pass();
    if (this.#fails(this.isBroken)) throw new Error('EIO: i/o error, fsync');
    this.#safeNames = new Map(this.#names);
    this.#unsafeChanges = [];
  }

  #writable(name: string, contents: Contents): WritableFile {
    let state: 'free' | 'busy' | 'closed' = 'free';
    this.openFiles += 1;
    const later = (call: string, done: Done, work: () => void): void => {
      const waits = call === 'close' && state === 'busy';
      const isMisuse = state !== 'free' && !waits;
      if (isMisuse) this.misuses.push(`${call} of ${name}, which is ${state}`);
      if (call === 'close') this.openFiles -= 1;
      state = call === 'close' ? 'closed' : 'busy';
      this.#later(
        name,
        (error) => {
          if (state === 'busy') state = 'free';
          done(error);
        },
        isMisuse ? refuse : work,
      );
    };
    return {
      write: (buffers, position, done) => {
        later('write', done, () => this.#write(contents, Buffer.concat([...buffers]), position));
      },
      sync: (done) => later('sync', done, () => this.#sync(contents)),
      close: (done) => later('close', done, () => undefined),
    };
  }

  #write(contents: Contents, added: Buffer, position: number): void {
    this.writes += 1;
    const { seen, dirty } = contents;
    const room = Math.max(0, this.capacityBytes - this.usedBytes) + seen.length - position;
    const bytes = added.subarray(0, Math.max(0, room));
    seen.put(bytes, position);
    dirty.push({ position, bytes });
    if (bytes.length < added.length) throw new Error('ENOSPC: no space left on device, write');
  }

  #sync(contents: Contents): void {
    this.syncs += 1;
    const { dirty, safe } = contents;
    contents.dirty = [];
    if (this.#fails(this.isBroken)) {
      for (const write of dirty) keepSome(safe, write, this.random);
      this.hasForgotten = true;
      throw new Error('EIO: i/o error, fdatasync');
    }
    for (const { bytes, position } of dirty) safe.put(bytes, position);
  }

  #change(change: NameChange): void {
    change(this.#names);
    this.#unsafeChanges.push(change);
  }

  #checkLock(): void {
    if (this.#fails(this.isLocked)) throw new Error('EIO: i/o error, names');
  }

  #fails(always: boolean): boolean {
    return always || (this.faultRate > 0 && this.random() < this.faultRate);
  }

  #find(name: string): Contents {
    const contents = this.#names.get(name);
    if (contents === undefined) throw new Error(`ENOENT: no such file, ${name}`);
    return contents;
  }

  #later(name: string, done: Done, work: () => void): void {
    void this.#pass(name).then(() => {
      try {
        work();
      } catch (error) {
        done(error as Error);
        return;
      }
      done(null);
    });
  }

  async #pass(name?: string): Promise<void> {
    for (let left = this.turns(name); left > 0; left--) {
      await new Promise<void>((go) => this.timers.setImmediate(go));
    }
  }
}

/** A beginning of the write reaches the platter; of a part of it perhaps only the length. */
function keepSome(safe: ByteArray, { position, bytes }: Write, random: Random): void {
  const kept = Math.floor(random() * (bytes.length + 1));
  if (kept === 0) return;
  safe.put(bytes.subarray(0, kept), position);
  const written = random() < 0.3 ? Math.floor(random() * kept) : kept;
  safe.bytes.fill(0, position + written, position + kept);
}

function refuse(): never {
  throw new Error('EBADF: bad file descriptor');
}
