// The result of a benchmark: named rows of figures, saved as JSON, and their Markdown on the page.
// Rendering uses the figures alone, so the page can be written again without a measurement.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { BUNDLE } from '../support/shoal-process.ts';
import type { BrokerName } from './brokers.ts';

export type Row = Record<string, number | string>;
export type Figures = Record<string, Row>;

export interface Run {
  readonly runs: number;
  readonly brokers: readonly BrokerName[];
  /** Words that the name of a row must contain. */
  readonly words: readonly string[];
  /** Prints the progress. */
  readonly say: (text: string) => void;
}

export interface Table {
  readonly name: string;
  readonly title: string;
  /** Minutes for each run, and for what happens once however many runs there are. */
  readonly minutes: { readonly eachRun: number; readonly once: number };
  /** The reason why it cannot be measured on this machine; false if it can. */
  missing?(): string | false;
  measure(run: Run): Promise<Figures>;
  markdown(figures: Figures): string;
}

/** Measures the rows whose names have all words. One that fails is left out, and the benchmark ends with an error. */
export async function measureRows(
  rows: readonly (readonly [name: string, measure: () => Promise<Row>])[],
  { words, say }: Run,
): Promise<Figures> {
  const figures: Figures = {};
  for (const [name, measure] of rows) {
    if (!words.every((word) => name.includes(word))) continue;
    say(name);
    try {
      figures[name] = await measure();
    } catch (error) {
      say(`failed: ${name}: ${error}`);
      process.exitCode = 1;
    }
  }
  return figures;
}

interface Saved {
  /** Hash of the measured bundle; the figures of a different bundle are out of date. */
  readonly bundle: string;
  /** Runs, versions and machine, as the page prints them. */
  readonly on: string;
  readonly figures: Figures;
}

const FILE = new URL('./results.json', import.meta.url);

export function readResults(): Record<string, Saved> {
  try {
    return JSON.parse(readFileSync(FILE, 'utf8'));
  } catch {
    return {};
  }
}

export function bundleHash(): string {
  return createHash('sha256').update(readFileSync(BUNDLE)).digest('hex').slice(0, 12);
}

function mosquittoVersion(): string {
  const said = spawnSync('mosquitto', ['-h'], { encoding: 'utf8' }).stdout ?? '';
  const version = /version (\S+)/.exec(said)?.[1];
  return version === undefined ? '' : `, mosquitto ${version}`;
}

function flashmqVersion(): string {
  const program = process.env.FLASHMQ;
  if (program === undefined) return '';
  const said = spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout ?? '';
  return `, FlashMQ ${/(\d+\.\d+\.\d+)/.exec(said)?.[1] ?? ''}`;
}

export function saveResult({ name, minutes }: Table, runs: number, figures: Figures): void {
  const times = minutes.eachRun > 0 && runs > 1 ? `medians of ${runs} runs` : 'one run';
  const versions = `Node ${process.version.slice(1)}${mosquittoVersion()}${flashmqVersion()}`;
  const on = `${times}, ${versions}, ${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'})`;
  const saved: Saved = { bundle: bundleHash(), on, figures };
  const rounded = (_key: string, value: unknown): unknown =>
    typeof value === 'number' ? Number(value.toPrecision(4)) : value;
  const all = { ...readResults(), [name]: saved };
  writeFileSync(FILE, `${JSON.stringify(all, rounded, 2)}\n`);
}

export const PAGE = new URL('../../docs/performance.md', import.meta.url);

/** Replaces the text between the two markers of a table. */
function renderInto(page: string, name: string, markdown: string): string {
  const [begin, end] = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`docs/performance.md lacks the markers of ${name}`);
  return `${page.slice(0, from + begin.length)}\n\n${markdown}\n\n${page.slice(to)}`;
}

/** @returns the page with every table that has saved results */
export function renderedPage(page: string, tables: readonly Table[]): string {
  const results = readResults();
  return tables.reduce((soFar, { name, markdown }) => {
    const saved = results[name];
    if (saved === undefined) return renderInto(soFar, name, 'Not measured yet.');
    return renderInto(soFar, name, `${markdown(saved.figures)}\n\n(${saved.on})`);
  }, page);
}

export function renderPage(tables: readonly Table[]): void {
  writeFileSync(PAGE, renderedPage(readFileSync(PAGE, 'utf8'), tables));
}

export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** @returns the median of each figure over several runs of one row */
export function medians(rows: readonly Row[]): Row {
  const keys = Object.keys(rows[0] ?? {});
  return Object.fromEntries(
    keys.map((key) => {
      const values = rows.map((row) => row[key]);
      const numbers = values.filter((value) => typeof value === 'number');
      return [key, numbers.length > 0 ? median(numbers) : (values[0] ?? '')];
    }),
  );
}

/** @returns the row with the name of a broker before each key, as `shoal.rate` */
export const prefixed = (name: string, row: Row): Row =>
  Object.fromEntries(Object.entries(row).map(([key, value]) => [`${name}.${key}`, value]));

/** @returns one figure of each broker that the row has, in this order: Shoal, mosquitto, FlashMQ */
export function ofEach(row: Row, key: string, show: (value: number) => string): string {
  return ['shoal', 'mosquitto', 'flashmq']
    .filter((name) => `${name}.rate` in row)
    .map((name) => show(figure(row, `${name}.${key}`)))
    .join(', ');
}

export const figure = (row: Row | undefined, key: string): number =>
  Number(row?.[key] ?? Number.NaN);

/** Formats a figure: 7.2 M, 718,000, 12.3. */
export function amount(value: number): string {
  if (!Number.isFinite(value)) return '-';
  if (value >= 999_500) return `${(value / 1e6).toFixed(value < 1e7 ? 1 : 0)} M`;
  if (value >= 1_000) return Number(value.toPrecision(3)).toLocaleString('en');
  return String(Number(value.toPrecision(value < 10 ? 2 : 3)));
}

export function percent(share: number): string {
  return Number.isFinite(share) ? `${Math.round(share * 100)} %` : '-';
}
