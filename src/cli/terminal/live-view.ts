// Shows a picture that changes: on a terminal it is redrawn in place, elsewhere each new picture is
// printed below the one before. Invariant: close() leaves the terminal as it was, with the last picture.

import type { CliContext } from '../context.ts';
import { cutPainted } from './text-width.ts';

const ESCAPE = '\u001b';
const ALTERNATE_SCREEN = `${ESCAPE}[?1049h`;
const USUAL_SCREEN = `${ESCAPE}[?1049l`;
const HIDE_CURSOR = `${ESCAPE}[?25l`;
const SHOW_CURSOR = `${ESCAPE}[?25h`;
const HOME = `${ESCAPE}[H`;
const ERASE_REST_OF_LINE = `${ESCAPE}[K`;
const ERASE_BELOW = `${ESCAPE}[J`;

export class LiveView {
  readonly #context: CliContext;
  readonly #isPicture: boolean;
  #last: readonly string[] = [];
  #isOpen = false;

  constructor(context: CliContext) {
    this.#context = context;
    this.#isPicture = context.outputIsTerminal && context.environment.TERM !== 'dumb';
  }

  show(lines: readonly string[]): void {
    const { outputRows, outputColumns } = this.#context;
    if (!this.#isPicture) {
      const isFirst = this.#last.length === 0;
      if (lines.join() !== this.#last.join()) this.#print(isFirst ? lines : ['', ...lines]);
      this.#last = lines;
      return;
    }
    this.#last = lines;
    const opening = this.#isOpen ? '' : ALTERNATE_SCREEN + HIDE_CURSOR;
    this.#isOpen = true;
    // A line that wraps would move all lines below it.
    const shown = lines
      .slice(0, outputRows - 1)
      .map((line) => `${cutPainted(line, outputColumns)}${ERASE_REST_OF_LINE}\r\n`);
    this.#context.write(`${opening}${HOME}${shown.join('')}${ERASE_BELOW}`);
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#context.write(SHOW_CURSOR + USUAL_SCREEN);
    this.#print(this.#last);
  }

  #print(lines: readonly string[]): void {
    this.#context.write(lines.map((line) => `${line}\n`).join(''));
  }
}
