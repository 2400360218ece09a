// A terminal of a given size that keeps what a program draws: enough of ECMA-48 for the demo. Line wrap,
// cursor up, home, erase and colours are understood; anything else is an error, so that a test notices a
// sequence that a plain terminal might not know. Invariant: the cursor is on the screen.

export const ESCAPE = '\u001b';
/** What follows the escape character. */
const SEQUENCE = /\[(\??)(\d*)([A-Za-z])/y;

export class Terminal {
  readonly #columns: number;
  readonly #rows: number;
  #lines: string[] = [''];
  #row = 0;
  #column = 0;
  #wraps = true;
  /** Lines that have left the screen at the top. */
  scrolledLines = 0;
  isCursorVisible = true;

  constructor(columns: number, rows: number) {
    this.#columns = columns;
    this.#rows = rows;
  }

  /** The lines on the screen, without spaces at their ends. */
  get screen(): string[] {
    return this.#lines.map((line) => line.trimEnd());
  }

  get text(): string {
    return this.screen.join('\n');
  }

  write(text: string): void {
    for (let at = 0; at < text.length; ) {
      SEQUENCE.lastIndex = at + 1;
      const match = text[at] === ESCAPE ? SEQUENCE.exec(text) : null;
      if (match === null) this.#put(text[at++] ?? '');
      else {
        this.#control(match[1] === '?', Number(match[2] ?? ''), match[3] ?? '');
        at = SEQUENCE.lastIndex;
      }
    }
  }

  #put(character: string): void {
    if (character === '\r') this.#column = 0;
    else if (character === '\n') this.#newLine();
    else if (character === '\b') this.#column = Math.max(0, this.#column - 1);
    else if (character < ' ') throw new Error(`unexpected character ${JSON.stringify(character)}`);
    else {
      if (this.#column === this.#columns) {
        if (!this.#wraps) return;
        this.#column = 0;
        this.#newLine();
      }
      const line = (this.#lines[this.#row] ?? '').padEnd(this.#column);
      this.#lines[this.#row] =
        line.slice(0, this.#column) + character + line.slice(this.#column + 1);
      this.#column += 1;
    }
  }

  #newLine(): void {
    this.#row += 1;
    if (this.#row === this.#rows) {
      this.#row -= 1;
      this.#lines.shift();
      this.scrolledLines += 1;
    }
    this.#lines[this.#row] ??= '';
  }

  #control(isPrivate: boolean, parameter: number, final: string): void {
    const name = isPrivate ? `?${parameter}${final}` : final;
    if (name === 'm') return;
    if (name === 'A') this.#row = Math.max(0, this.#row - parameter);
    else if (name === 'H') this.#row = this.#column = 0;
    else if (name === 'J' && parameter === 2) this.#lines = [''];
    else if (name === 'J') {
      this.#lines.length = this.#row + 1;
      this.#lines[this.#row] = this.#lines[this.#row]?.slice(0, this.#column) ?? '';
    } else if (/^\?7[hl]$/.test(name)) this.#wraps = final === 'h';
    else if (/^\?25[hl]$/.test(name)) this.isCursorVisible = final === 'h';
    else throw new Error(`unexpected control sequence ${name}`);
  }
}
