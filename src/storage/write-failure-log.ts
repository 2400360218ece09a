// What the log tells while the disk takes nothing: at once, again each minute, and when it is over.

import { describeSystemError } from '../shared/describe-system-error.ts';
import type { Logger } from '../shared/logger.ts';
import type { Stamp } from './file-format.ts';

const REMIND_MS = 60_000;

export interface OutageOptions {
  readonly folder: string;
  readonly log: Logger;
  readonly now: () => Stamp;
}

export class WriteFailureLog {
  /** Messages that could not be taken since it began. */
  refused = 0;
  readonly #options: OutageOptions;
  #sinceMs: number | undefined;
  #toldMs = 0;

  constructor(options: OutageOptions) {
    this.#options = options;
  }

  /** Nothing can be written, or still nothing. @param waiting packets that wait for it */
  tell(error: unknown, waiting: number): void {
    const { folder, log, now } = this.#options;
    const nowMs = now().mono;
    if (this.#sinceMs !== undefined && nowMs - this.#toldMs < REMIND_MS) return;
    this.#sinceMs ??= nowMs;
    this.#toldMs = nowMs;
    log.error('changes can not be written: publishers are refused or wait', {
      folder,
      error: describeSystemError(error, 'write'),
      ...this.#toll(nowMs),
      waiting,
    });
  }

  end(): void {
    const { folder, log, now } = this.#options;
    if (this.#sinceMs !== undefined) {
      log.info('the disk takes changes again', { folder, ...this.#toll(now().mono) });
    }
    this.#sinceMs = undefined;
    this.refused = 0;
  }

  #toll(nowMs: number): { seconds: number; refused: number } {
    return {
      seconds: Math.round((nowMs - (this.#sinceMs ?? nowMs)) / 1000),
      refused: this.refused,
    };
  }
}
