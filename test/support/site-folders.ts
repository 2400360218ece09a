// The data folders of a simulated site: a disk in memory for each box, which outlives its processes. A process that
// ends leaves all that it has written; a power cut leaves what was synced, and of the rest a part. The journal for the next
// process is opened at once, because nothing can be awaited at its start.
// Invariant: a process that has ended writes nothing more.

import type { Logger } from '../../src/shared/logger.ts';
import { Journal, type OpenedJournal } from '../../src/storage/journal.ts';
import type { Timers } from '../../src/storage/timers.ts';
import { MemoryDisk } from './memory-disk.ts';
import type { Random } from './random.ts';
import type { Simulator } from './simulator.ts';

const WALL_MS = Date.UTC(2027, 0, 1);
/** Small, so that power cuts hit snapshots too. */
const COMPACT_BYTES_MIN = 2000;
const DISK_TURNS = 4;
const TURN_MS = 0.5;

/** Where the events of a process run. */
export interface FolderOwner {
  readonly isUp: boolean;
  /** Runs an event, later if the process is stalled. */
  deliver(work: () => void): void;
}

export interface OpenFolder extends OpenedJournal {
  readonly disk: MemoryDisk;
  readonly timers: BoxTimers;
}

export class SiteFolders {
  readonly #sim: Simulator;
  readonly #random: Random;
  readonly #log: Logger;
  readonly #ready = new Map<string, OpenFolder>();

  constructor(sim: Simulator, random: Random, log: Logger) {
    this.#sim = sim;
    this.#random = random;
    this.#log = log;
  }

  /** Empty folders, before the first of the boxes n1 to nSIZE starts; with `some` every second box has one. */
  async create(size: number, which: 'none' | 'some' | 'all'): Promise<void> {
    for (let index = 1; index <= size; index++) {
      if (which === 'all' || (which === 'some' && index % 2 === 1)) {
        await this.#open(`n${index}`, new MemoryDisk());
      }
    }
  }

  /** @returns undefined for a box without a folder, or if another process has it */
  take(name: string, owner: FolderOwner): OpenFolder | undefined {
    const folder = this.#ready.get(name);
    if (folder === undefined) return undefined;
    this.#ready.delete(name);
    const { disk, timers } = folder;
    timers.owner = owner;
    disk.timers = timers;
    disk.turns = () => Math.floor(this.#random() * DISK_TURNS);
    return folder;
  }

  /** The process that took the folder has ended. */
  ended(name: string, { disk }: OpenFolder): void {
    const isPowerCut = this.#random() < 0.5;
    const left = isPowerCut ? disk.powerCut(this.#random) : disk.processEnd();
    void this.#open(name, left);
    this.#sim.afterPromises(() => undefined);
  }

  async #open(name: string, disk: MemoryDisk): Promise<void> {
    const sim = this.#sim;
    disk.turns = () => 0;
    const timers = new BoxTimers(sim);
    const opened = await Journal.open({
      folder: name,
      disk,
      timers,
      log: this.#log,
      now: () => ({ wall: WALL_MS + sim.now, mono: sim.now }),
      compactBytesMin: COMPACT_BYTES_MIN,
    });
    this.#ready.set(name, { ...opened, disk, timers });
  }
}

/** Timers of one process on the virtual clock. */
export class BoxTimers implements Timers {
  owner: FolderOwner | undefined;
  readonly #sim: Simulator;

  constructor(sim: Simulator) {
    this.#sim = sim;
  }

  setImmediate(work: () => void): void {
    this.#at(TURN_MS, work);
  }

  setTimeout(work: () => void, ms: number): { isCleared: boolean } {
    const timer = { isCleared: false };
    this.#at(ms, () => {
      if (!timer.isCleared) work();
    });
    return timer;
  }

  clearTimeout(timer: unknown): void {
    if (timer !== undefined) (timer as { isCleared: boolean }).isCleared = true;
  }

  #at(ms: number, work: () => void): void {
    const sim = this.#sim;
    sim.at(sim.now + ms, () => {
      const { owner } = this;
      if (owner?.isUp !== true) return;
      owner.deliver(work);
      // What the promises of the journal do belongs to the same turn.
      sim.afterPromises(() => owner.deliver(() => undefined));
    });
  }
}
