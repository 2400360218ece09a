// The demo's picture of the cluster as lines that fit a terminal of a given size. Pure: knows neither the
// terminal nor the processes. Invariant: no line is longer than the terminal is wide, there is a row left
// for the cursor, and no word is cut unless it is longer than a line.

export type Style = 'plain' | 'bold' | 'dim' | 'good' | 'warning' | 'bad';

export interface Span {
  readonly text: string;
  readonly style: Style;
}

export type Line = readonly Span[];

export interface NodeView {
  readonly name: string;
  /** Process id, or what there is instead of one. */
  readonly process: string;
  readonly isDown: boolean;
  readonly mqttPort: string;
  readonly gossip: string;
  readonly opinions: readonly Span[];
}

export interface CrossingView {
  readonly from: string;
  /** One cell for each receiving node. */
  readonly cells: readonly { readonly wide: string; readonly narrow: string }[];
}

export interface Entry {
  readonly seconds: number;
  readonly text: string;
  /** A step of the story stays on the screen; an event makes room for newer ones. */
  readonly kind: 'step' | 'event';
  readonly style: Style;
}

export interface Hint {
  readonly title: string;
  /** Each command as words, which are not broken. */
  readonly commands: readonly (readonly string[])[];
  readonly style: Style;
}

export interface View {
  readonly nodes: readonly NodeView[];
  readonly crossings: readonly CrossingView[];
  /** In the order of time. */
  readonly entries: readonly Entry[];
  readonly hint: Hint | undefined;
}

const WIDE_COLUMNS = 80;
const TIME_WIDTH = 10;
const NARROW_INDENT = 2;
const LEGEND = '          number of messages, and their latency: median / 99 %';

/** @param rows height of the terminal; the picture leaves the last row to the cursor */
export function picture(view: View, columns: number, rows: number): Line[] {
  const isWide = columns >= WIDE_COLUMNS;
  const legend: Line = isWide ? [{ text: LEGEND, style: 'dim' }] : [];
  const tables = [
    ...memberTable(view.nodes, isWide),
    [],
    ...crossingTable(view, isWide),
    legend,
  ].map((line) => fit(line, columns));
  const hint = view.hint === undefined ? [] : hintLines(view.hint, columns);
  const room = rows - 1 - tables.length - hint.length;
  return [...tables, ...entriesThatFit(view.entries, columns, room), ...hint].slice(0, rows - 1);
}

/** The text of an entry or a command, broken between words. */
export function wrap(words: readonly string[], width: number, end = ''): string[] {
  const lines: string[] = [];
  let line = '';
  for (const [index, word] of words.entries()) {
    const isLast = index === words.length - 1;
    const wanted = line === '' ? word : `${line} ${word}`;
    if (line !== '' && wanted.length + (isLast ? 0 : end.length) > width) {
      lines.push(line + end);
      line = word;
    } else line = wanted;
  }
  return [...lines, line];
}

function memberTable(nodes: readonly NodeView[], isWide: boolean): Line[] {
  const widths = isWide ? [6, 9, 8, 18, 18, 18] : [5, 7, 13, 13];
  const head = isWide
    ? ['node', 'process', 'MQTT', 'gossip', 'the other nodes see it as']
    : ['node', 'port', 'seen as'];
  const rows = nodes.map((node) => {
    const style = node.isDown ? 'bad' : 'plain';
    const own = isWide
      ? [node.name, node.process, node.mqttPort, node.gossip]
      : [node.name, node.mqttPort];
    return row([...own.map((text) => ({ text, style }) as const), ...node.opinions], widths);
  });
  return [
    [
      {
        text: row(head.map(bold), widths)
          .map(({ text }) => text)
          .join('')
          .trimEnd(),
        style: 'bold',
      },
    ],
    ...rows,
  ];
}

function crossingTable({ nodes, crossings }: View, isWide: boolean): Line[] {
  const widths = [isWide ? 10 : 9, ...nodes.map(() => (isWide ? 23 : 8))];
  const head = ['messages', ...nodes.map(({ name }) => `to ${name}`)];
  const rows = crossings.map(({ from, cells }) => {
    const texts = [`from ${from}`, ...cells.map(({ wide, narrow }) => (isWide ? wide : narrow))];
    return row(
      texts.map((text) => ({ text, style: 'plain' })),
      widths,
    );
  });
  return [row(head.map(bold), widths), ...rows];
}

const bold = (text: string): Span => ({ text, style: 'bold' });

function row(cells: Line, widths: readonly number[]): Span[] {
  return cells.map(({ text, style }, column) => ({
    text: text.padEnd(widths[column] ?? 0),
    style,
  }));
}

/** Leaves out the cells at the right that do not fit as a whole. */
function fit(line: Line, columns: number): Line {
  let width = 0;
  return line.filter(({ text }) => {
    width += text.trimEnd().length;
    const fits = width <= columns;
    width += text.length - text.trimEnd().length;
    return fits;
  });
}

/** All steps if they fit, else the last ones; then as many of the last events as fit. */
function entriesThatFit(entries: readonly Entry[], columns: number, room: number): Line[] {
  const lines = entries.map((entry) => entryLines(entry, columns));
  const shown = new Set<number>();
  let left = room;
  for (const kind of ['step', 'event'] as const) {
    for (let index = entries.length - 1; index >= 0; index--) {
      if (entries[index]?.kind !== kind) continue;
      const height = lines[index]?.length ?? 0;
      if (height > left) break;
      left -= height;
      shown.add(index);
    }
  }
  return lines.filter((_, index) => shown.has(index)).flat();
}

function entryLines({ seconds, text, kind, style }: Entry, columns: number): Line[] {
  const time = `${seconds.toFixed(2).padStart(TIME_WIDTH - 4)} s  `;
  const words = text.split(' ');
  const indent = kind === 'event' ? '  ' : '';
  const hanging = columns >= WIDE_COLUMNS ? TIME_WIDTH + indent.length : NARROW_INDENT;
  const [first = '', ...rest] = wrapHanging(words, columns, TIME_WIDTH + indent.length, hanging);
  return [
    [
      { text: time, style: 'dim' },
      { text: indent + first, style },
    ],
    ...rest.map((line): Line => [{ text: ' '.repeat(hanging) + line, style }]),
  ];
}

/** The first line is indented by `first`, the others by `hanging`. */
function wrapHanging(
  words: readonly string[],
  columns: number,
  first: number,
  hanging: number,
): string[] {
  const [head = ''] = wrap(words, columns - first);
  const rest = words.slice(head.split(' ').length);
  return rest.length === 0 ? [head] : [head, ...wrap(rest, columns - hanging)];
}

function hintLines({ title, commands, style }: Hint, columns: number): Line[] {
  const titles = wrap(title.split(' '), columns).map((text): Line => [{ text, style }]);
  const indented = commands.flatMap((words) =>
    wrap(words, columns - NARROW_INDENT, ' \\').map((text): Line => {
      return [{ text: ' '.repeat(NARROW_INDENT) + text, style: 'plain' }];
    }),
  );
  return [...titles, ...indented];
}
