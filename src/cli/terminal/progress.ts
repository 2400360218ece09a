// One line on standard error that shows how far a long command is, for a person: nothing of it appears
// where standard error is no terminal.

import type { CliContext } from '../context.ts';

const BAR_CHARS = 24;
const DRAW_EVERY_MS = 100;
const ERASE_LINE = '\r\u001b[K';

export class Progress {
  readonly #context: CliContext;
  #drawnAt = Number.NEGATIVE_INFINITY;

  constructor(context: CliContext) {
    this.#context = context;
  }

  /**
   * Call it as often as is convenient.
   * @param share of the work that is done, 0 to 1; undefined where the end is not known
   * @param text what is done now, with figures
   */
  show(share: number | undefined, text: string): void {
    const now = performance.now();
    if (!this.#context.errorIsTerminal || now - this.#drawnAt < DRAW_EVERY_MS) return;
    this.#drawnAt = now;
    const bar =
      share === undefined
        ? ''
        : `${barOf(share)} ${String(Math.floor(100 * share)).padStart(3)} %  `;
    this.#context.writeError(`${ERASE_LINE}${bar}${text}`.slice(0, ERASE_LINE.length + 78));
  }

  /** Erases the line. */
  end(): void {
    if (this.#drawnAt !== Number.NEGATIVE_INFINITY) this.#context.writeError(ERASE_LINE);
  }
}

function barOf(share: number): string {
  const full = Math.round(BAR_CHARS * Math.min(1, Math.max(0, share)));
  return `[${'='.repeat(full)}${' '.repeat(BAR_CHARS - full)}]`;
}
