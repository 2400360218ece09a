// A table of text: columns as wide as their widest cell, two spaces between them. Where a terminal is too
// narrow, the widest of the columns that may shrink is cut, and no line is wrapped.

import type { Paint, Style } from './paint.ts';
import { cutText, padText, printable, textWidth } from './text-width.ts';

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** Its cells are names or topics, which may be cut. */
  readonly shrinks?: true;
}

export type Cell = string | { readonly text: string; readonly style: Style };

const GAP = '  ';
/** A column that shrinks keeps this width. */
const WIDTH_MIN = 8;

/** @param columns width of the terminal; Infinity where nothing has to fit */
export function formatTable(
  heads: readonly Column[],
  rows: readonly (readonly Cell[])[],
  paint: Paint,
  columns: number,
): string[] {
  const texts = rows.map((row) => row.map((cell) => printable(textOf(cell))));
  const natural = heads.map(({ title }, index) =>
    Math.max(textWidth(title), ...texts.map((row) => textWidth(row[index] ?? ''))),
  );
  const widths = fit(natural, heads, columns);
  const line = (cells: readonly string[], styles: readonly Style[]): string => {
    const shown = cells.map((text, index) => {
      const width = widths[index] ?? 0;
      // Nothing follows the last column, so it needs no padding.
      const isLast = index === cells.length - 1 && heads[index]?.align !== 'right';
      const cut = cutText(text, width);
      const padded = isLast ? cut : padText(cut, width, heads[index]?.align);
      return paint[styles[index] ?? 'plain'](padded);
    });
    return shown.join(GAP).trimEnd();
  };
  return [
    line(
      heads.map(({ title }) => title),
      heads.map(() => 'dim'),
    ),
    ...texts.map((row, index) => line(row, (rows[index] ?? []).map(styleOf))),
  ];
}

/** The widths of the columns, narrowed to fit as far as the columns allow. */
function fit(natural: readonly number[], heads: readonly Column[], columns: number): number[] {
  const widths = [...natural];
  const total = (): number =>
    widths.reduce((sum, width) => sum + width, 0) + GAP.length * (widths.length - 1);
  while (total() > columns) {
    let widest = -1;
    for (const [index, head] of heads.entries()) {
      const width = widths[index] ?? 0;
      if (head.shrinks === true && width > WIDTH_MIN && width > (widths[widest] ?? 0))
        widest = index;
    }
    if (widest === -1) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

function textOf(cell: Cell): string {
  return typeof cell === 'string' ? cell : cell.text;
}

function styleOf(cell: Cell): Style {
  return typeof cell === 'string' ? 'plain' : cell.style;
}
