// Log lines about a disk that accepts no changes: at once, again every minute, and at the recovery.

import { describeSystemError } from '../shared/describe-system-error.ts';
import type { Logger } from '../shared/logger.ts';
import type { Stamp } from './file-format.ts';

export const WRITE_FAILURE = 'changes cannot be written: publishers are refused or wait';
const REPEAT_MS = 60_000;

export interface WriteFailureOptions {
  readonly folder: string;
  readonly log: Logger;
  readonly now: () => Stamp;
}

export class WriteFailureLog {
  /** Messages refused since the failure began. */
  refused = 0;
  readonly #options: WriteFailureOptions;
  #beganMs: number | undefined;
  #reportedMs = 0;

  constructor(options: WriteFailureOptions) {
    this.#options = options;
  }

  /** Reports that writing fails, or still fails. @param waiting packets that wait for the disk */
  report(error: unknown, waiting: number): void {
    const { folder, log, now } = this.#options;
    const nowMs = now().mono;
    if (this.#beganMs !== undefined && nowMs - this.#reportedMs < REPEAT_MS) return;
    this.#beganMs ??= nowMs;
    this.#reportedMs = nowMs;
    log.error(WRITE_FAILURE, {
      folder,
      error: describeSystemError(error, 'write'),
      ...this.#totals(nowMs),
      waiting,
    });
  }

  /** Reports the recovery, if a failure was reported before. */
  recovered(): void {
    const { folder, log, now } = this.#options;
    if (this.#beganMs !== undefined) {
      log.info('the disk accepts changes again', { folder, ...this.#totals(now().mono) });
    }
    this.#beganMs = undefined;
    this.refused = 0;
  }

  #totals(nowMs: number): { seconds: number; refused: number } {
    return {
      seconds: Math.round((nowMs - (this.#beganMs ?? nowMs)) / 1000),
      refused: this.refused,
    };
  }
}
