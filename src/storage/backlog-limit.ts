// How many bytes may wait for the disk before publishers are held back: what the disk writes in a moment,
// at the pace that it has shown. A fixed number would be nothing on a fast disk and seconds on an SD card.
// Invariant: the limit stays between its bounds, whatever the disk does.

export const BACKLOG_BYTES_MIN = 131_072;
export const BACKLOG_BYTES_MAX = 4_194_304;
/** The bytes that wait should be on the disk after this time. */
const BACKLOG_MS = 500;
/** A smaller batch says more of the time of a sync than of the disk's pace. */
const TELLING_BYTES = 65_536;

export class BacklogLimit {
  #bytesPerMs = BACKLOG_BYTES_MAX / BACKLOG_MS;

  get bytes(): number {
    const bytes = this.#bytesPerMs * BACKLOG_MS;
    return Math.min(Math.max(bytes, BACKLOG_BYTES_MIN), BACKLOG_BYTES_MAX);
  }

  /** A batch was written and synced in this time. */
  wrote(bytes: number, ms: number): void {
    const pace = bytes / Math.max(ms, 0.1);
    if (bytes >= TELLING_BYTES) this.#bytesPerMs = (this.#bytesPerMs + pace) / 2;
    else if (pace > this.#bytesPerMs) this.#bytesPerMs = pace;
  }
}
