// Writes the whole state to a snapshot while the broker runs: one slice per turn of the event loop,
// short enough not to delay any client, then a write, then the next slice.

import type { Message, StoredMark } from '../broker/message/message.ts';
import type {
  DeliveryRecord,
  SessionRecord,
  StateWriter,
  SubscriptionRecord,
} from '../broker/ports.ts';
import type { WillPacket } from '../mqtt/control-decoder.ts';
import type { RegisterRecord, RegisterWriter } from '../replica/register-store.ts';
import type { LogRange } from '../replica/repair-port.ts';
import { BlockBuilder } from './block-builder.ts';
import type { WritableFile } from './disk.ts';
import { encodeHeader, type Stamp } from './file-format.ts';
import { type Numbering, type RecordScope, StateRecorder } from './state-recorder.ts';
import type { Timers } from './timers.ts';

/** A slice ends after this time, or with this many bytes. */
const SLICE_MS = 1.5;
const SLICE_BYTES = 262_144;
/** Steps between two readings of the clock. */
const STEPS = 16;
/** Synced after this many bytes, so that the log never waits for a mass of unwritten pages. */
const SYNC_BYTES = 4_194_304;

/** Passes the state to a writer, one piece per step. */
export type Capture = (writer: StateWriter & RegisterWriter) => Iterator<void, void>;

export interface SnapshotTarget {
  readonly file: WritableFile;
  readonly generation: number;
  readonly run: bigint;
}

export class SnapshotWriter implements StateWriter, RegisterWriter, RecordScope {
  readonly #target: SnapshotTarget;
  readonly #numbering: Numbering;
  readonly #builder: BlockBuilder;
  readonly #recorder: StateRecorder;
  readonly #now: () => Stamp;
  readonly #timers: Timers;
  /** The session whose parts follow. */
  #clientId: string | undefined;
  #number: number | undefined;
  #sessions = 0;
  #retained = 0;
  #length = 0;
  #unsyncedBytes = 0;
  #isAborted = false;

  constructor(target: SnapshotTarget, numbering: Numbering, now: () => Stamp, timers: Timers) {
    this.#target = target;
    this.#numbering = numbering;
    this.#now = now;
    this.#timers = timers;
    this.#builder = new BlockBuilder(now);
    this.#recorder = new StateRecorder(numbering, this.#builder, this);
  }

  /** @returns the length of the file, which is complete and synced; rejects with the system's error */
  async write(capture: Capture): Promise<number> {
    const { generation, run } = this.#target;
    await this.#append(encodeHeader({ kind: 'snapshot', needsSnapshot: false, generation, run }));
    const walk = capture(this);
    while (!this.#runSlice(walk)) {
      await this.#appendBlock();
      await new Promise<void>((resolve) => this.#timers.setImmediate(resolve));
      if (this.#isAborted) throw new Error('aborted');
    }
    this.#builder.records.end(this.#sessions, this.#retained);
    await this.#appendBlock();
    await this.#sync();
    return this.#length;
  }

  /** Makes write() reject after its current slice. */
  abort(): void {
    this.#isAborted = true;
  }

  saveSession(session: SessionRecord): void {
    this.#sessions += 1;
    // Resolved now: the session may end, and a new one begin, before the walk has passed all its parts.
    this.#clientId = session.clientId;
    this.#number = this.#numbering.findOrAssign(session.clientId);
    this.#recorder.saveSession(session);
  }

  saveSubscription(clientId: string, subscription: SubscriptionRecord): void {
    this.#recorder.saveSubscription(clientId, subscription);
  }

  saveDelivery(clientId: string, delivery: DeliveryRecord): void {
    this.#recorder.saveDelivery(clientId, delivery);
  }

  saveReceived(clientId: string, packetId: number): void {
    this.#recorder.saveReceived(clientId, packetId);
  }

  saveRetained(message: Message): void {
    this.#retained += 1;
    this.#recorder.saveRetained(message);
  }

  saveWill(clientId: string, will: WillPacket, publishAt: number): void {
    this.#recorder.saveWill(clientId, will, publishAt);
  }

  saveRegister(register: RegisterRecord): void {
    this.#recorder.saveRegister(register);
  }

  saveKnown(range: LogRange): void {
    this.#recorder.saveKnown(range);
  }

  sessionNumber(clientId: string): number | undefined {
    return clientId === this.#clientId ? this.#number : undefined;
  }

  addMessage(mark: StoredMark): boolean {
    const { generation } = this.#target;
    if (mark.snapshot === generation) return false;
    mark.snapshot = generation;
    return true;
  }

  /** @returns true when the walk is complete */
  #runSlice(walk: Iterator<void, void>): boolean {
    const until = this.#now().mono + SLICE_MS;
    do {
      for (let step = 0; step < STEPS && this.#builder.bytes < SLICE_BYTES; step++) {
        if (walk.next().done) return true;
      }
    } while (this.#builder.bytes < SLICE_BYTES && this.#now().mono < until);
    return false;
  }

  async #appendBlock(): Promise<void> {
    if (this.#builder.bytes === 0) return;
    const block = this.#builder.seal(this.#target.generation, this.#length);
    await this.#append(block);
    this.#builder.recycle(block);
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

/** Turns a call with a callback into a promise. */
export function settled(call: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    call((error) => (error === null ? resolve() : reject(error)));
  });
}
