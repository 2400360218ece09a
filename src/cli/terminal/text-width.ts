// How many columns a text takes on a terminal, and texts cut or padded to a width. Client identifiers and
// topics come from strangers: what a terminal would execute is escaped first.

import { escapeControls } from '../log.ts';

/** Marks that stand on the character before, and characters that are not seen. */
const ZERO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
/** Blocks of East Asian wide characters and of emoji, first and last code point. */
const WIDE = [
  [0x1100, 0x115f],
  [0x2e80, 0xa4cf],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1faff],
  [0x20000, 0x3fffd],
] as const;
const ELLIPSIS = '…';
const ESCAPE = '\u001b';
/** The sequences that paint.ts writes. */
const COLOURS = new RegExp(`(${ESCAPE}\\[[\\d;]*m)`);

/** @param text without control characters */
export function textWidth(text: string): number {
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

/** The text as it may be shown: control and invisible characters become `\u001b` and the like. */
export function printable(text: string): string {
  return escapeControls(text);
}

/** Cuts a text to a width, with an ellipsis at its end. */
export function cutText(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  let cut = '';
  let used = 0;
  for (const character of text) {
    used += characterWidth(character);
    if (used > width - 1) break;
    cut += character;
  }
  return width < 1 ? '' : cut + ELLIPSIS;
}

/** Cuts a line with colours to a width; what the colours begin they still end. */
export function cutPainted(line: string, width: number): string {
  if (2 * line.length <= width) return line;
  let left = width;
  return line
    .split(COLOURS)
    .map((part, index) => {
      if (index % 2 === 1) return part;
      const shown = left < textWidth(part) ? cutText(part, left) : part;
      left -= textWidth(shown);
      return shown;
    })
    .join('');
}

export function padText(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const space = ' '.repeat(Math.max(0, width - textWidth(text)));
  return align === 'left' ? text + space : space + text;
}

function characterWidth(character: string): number {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x300) return 1;
  if (ZERO_WIDTH.test(character)) return 0;
  return WIDE.some(([first, last]) => code >= first && code <= last) ? 2 : 1;
}
