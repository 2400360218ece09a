// A table of text: columns as wide as their widest cell, two spaces between them. Where a terminal is too
// narrow, names are cut, columns of less importance left out, and no line is wrapped.

import type { Paint, Style } from './paint.ts';
import { cutText, padText, printable, textWidth } from './text-width.ts';

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** Its cells are names or topics, which may be cut. */
  readonly shrinks?: true;
  /** A terminal that is too narrow leaves it out; the last such column first. */
  readonly isOptional?: true;
}

export type Cell = string | { readonly text: string; readonly style: Style };

const GAP = '  ';
/** A name is not cut below this width while there are columns to leave out. */
const NAME_WIDTH = 16;
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
  const indices = [...widths.keys()];
  const line = (cells: readonly string[], styles: readonly Style[]): string => {
    const shown = indices.map((index) => {
      const width = widths.get(index) ?? 0;
      // Nothing follows the last column, so it needs no padding.
      const isLast = index === indices.at(-1) && heads[index]?.align !== 'right';
      const cut = cutText(cells[index] ?? '', width);
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

/** The widths of the columns that are shown, narrowed to fit as far as the columns allow. */
function fit(
  natural: readonly number[],
  heads: readonly Column[],
  columns: number,
): Map<number, number> {
  const widths = new Map(natural.entries());
  for (;;) {
    const narrowed = narrow(widths, heads, columns, NAME_WIDTH);
    if (widthOf(narrowed) <= columns) return narrowed;
    const next = heads.findLastIndex((head, index) => head.isOptional && widths.has(index));
    if (next === -1) return narrow(narrowed, heads, columns, WIDTH_MIN);
    widths.delete(next);
  }
}

/** Cuts the widest of the columns that may shrink, down to `widthMin` at most. */
function narrow(
  widths: ReadonlyMap<number, number>,
  heads: readonly Column[],
  columns: number,
  widthMin: number,
): Map<number, number> {
  const narrowed = new Map(widths);
  while (widthOf(narrowed) > columns) {
    const mayShrink = [...narrowed].filter(
      ([index, width]) => heads[index]?.shrinks === true && width > widthMin,
    );
    const [widest] = mayShrink.sort(([, a], [, b]) => b - a);
    if (widest === undefined) break;
    narrowed.set(widest[0], widest[1] - 1);
  }
  return narrowed;
}

function widthOf(widths: ReadonlyMap<number, number>): number {
  return [...widths.values()].reduce((sum, width) => sum + width + GAP.length, -GAP.length);
}

function textOf(cell: Cell): string {
  return typeof cell === 'string' ? cell : cell.text;
}

function styleOf(cell: Cell): Style {
  return typeof cell === 'string' ? 'plain' : cell.style;
}
