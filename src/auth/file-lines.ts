// The lines of a file that decides on access, and the list of its mistakes. Lines are decoded one at a
// time, so that a large file never occupies the event loop or memory as a whole.

/** A longer line belongs to a file of another kind. */
const LINE_BYTES_MAX = 262_144;
/** Reported mistakes of one file; a wrong file would fill the log with one line for each of its own. */
const PROBLEMS_MAX = 20;
const LINE_FEED = 10;

export interface FileLine {
  readonly text: string;
  /** From 1 on. */
  readonly number: number;
}

/** @param source UTF-8 */
export function* linesOf(source: Buffer): Generator<FileLine> {
  let number = 0;
  for (let start = 0; start < source.length; ) {
    const found = source.indexOf(LINE_FEED, start);
    const end = found === -1 ? source.length : found;
    number += 1;
    yield { text: source.toString('utf8', start, Math.min(end, start + LINE_BYTES_MAX)), number };
    start = end + 1;
  }
}

/** Collects the mistakes of one file as `file:line: problem`. */
export class Problems {
  readonly list: string[] = [];
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  add(lineNumber: number, problem: string): void {
    if (this.list.length < PROBLEMS_MAX) this.list.push(`${this.#path}:${lineNumber}: ${problem}`);
    else if (this.list.length === PROBLEMS_MAX)
      this.list.push(`${this.#path}: more mistakes follow`);
  }

  /** True when reading further would report nothing new. */
  get isFull(): boolean {
    return this.list.length > PROBLEMS_MAX;
  }
}
