// Writes the whole state into a snapshot beside the running broker: a slice of the walk in each
// turn of the event loop, short enough that nobody notices, then a write, then the next slice.

import type { StoredMark } from '../broker/message/message.ts';
import type { SessionRecord, StateWriter } from '../broker/ports.ts';
import { BlockBuilder } from './block-builder.ts';
import type { WritableFile } from './disk.ts';
import { encodeHeader, type Stamp } from './file-format.ts';
import { type Numbering, StateRecorder } from './state-recorder.ts';
import type { Timers } from './timers.ts';

/** A slice ends after this time, or with this many bytes. */
const SLICE_MS = 1.5;
const SLICE_BYTES = 262_144;
/** How many steps between two looks at the clock. */
const STEPS = 16;
/** Synced this often, so that the log never waits behind a mountain of written pages. */
const SYNC_BYTES = 4_194_304;

/** Tells the state to a writer, one piece in each step. */
export type Capture = (writer: StateWriter) => Iterator<void, void>;

export interface SnapshotTarget {
  readonly file: WritableFile;
  readonly generation: number;
  readonly run: bigint;
}

export class SnapshotWriter extends StateRecorder {
  protected readonly builder: BlockBuilder;
  readonly #target: SnapshotTarget;
  readonly #now: () => Stamp;
  readonly #timers: Timers;
  #clientId: string | undefined;
  #number: number | undefined;
  #sessions = 0;
  #retained = 0;
  #length = 0;
  #unsyncedBytes = 0;
  #isAborted = false;

  constructor(target: SnapshotTarget, numbering: Numbering, now: () => Stamp, timers: Timers) {
    super(numbering);
    this.#target = target;
    this.#now = now;
    this.#timers = timers;
    this.builder = new BlockBuilder(now);
  }

  /** @returns the length of the file, which is complete and safe; rejects with the system's error */
  async write(capture: Capture): Promise<number> {
    const { generation, run } = this.#target;
    await this.#append(encodeHeader({ kind: 'snapshot', needsSnapshot: false, generation, run }));
    const walk = capture(this);
    while (!this.#slice(walk)) {
      await this.#appendBlock();
      await new Promise<void>((resolve) => this.#timers.setImmediate(resolve));
      if (this.#isAborted) throw new Error('aborted');
    }
    this.builder.records.end(this.#sessions, this.#retained);
    await this.#appendBlock();
    await this.#sync();
    return this.#length;
  }

  /** write() rejects soon. */
  abort(): void {
    this.#isAborted = true;
  }

  override saveSession(session: SessionRecord): void {
    this.#sessions += 1;
    // Its number now: the session may end, and another begin, before the walk has told it all.
    this.#clientId = session.clientId;
    this.#number = this.numbering.findOrGive(session.clientId);
    this.builder.records.session(this.#number, session);
  }

  override saveRetained(message: Parameters<StateWriter['saveRetained']>[0]): void {
    this.#retained += 1;
    super.saveRetained(message);
  }

  protected numberOf(clientId: string): number | undefined {
    return clientId === this.#clientId ? this.#number : undefined;
  }

  protected claim(mark: StoredMark): boolean {
    const { generation } = this.#target;
    if (mark.snapshot === generation) return false;
    mark.snapshot = generation;
    return true;
  }

  /** True when the walk is at its end. */
  #slice(walk: Iterator<void, void>): boolean {
    const until = this.#now().mono + SLICE_MS;
    do {
      for (let step = 0; step < STEPS && this.builder.bytes < SLICE_BYTES; step++) {
        if (walk.next().done) return true;
      }
    } while (this.builder.bytes < SLICE_BYTES && this.#now().mono < until);
    return false;
  }

  async #appendBlock(): Promise<void> {
    if (this.builder.bytes === 0) return;
    const block = this.builder.seal(this.#target.generation, this.#length);
    await this.#append(block);
    this.builder.recycle(block);
    if (this.#unsyncedBytes > SYNC_BYTES) await this.#sync();
  }

  async #append(bytes: Buffer): Promise<void> {
    await settled((done) => this.#target.file.write([bytes], this.#length, done));
    this.#length += bytes.length;
    this.#unsyncedBytes += bytes.length;
  }

  async #sync(): Promise<void> {
    await settled((done) => this.#target.file.sync(done));
    this.#unsyncedBytes = 0;
  }
}

/** A call with a callback, as a promise. */
export function settled(call: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    call((error) => (error === null ? resolve() : reject(error)));
  });
}
