// Changes one option in the text of a TOML file, and leaves everything else as it is: comments, order, blank lines and
// line ends. Reads no file. Invariant: parsed, the new text differs from the old one in this option alone; where
// that is not possible, there is no new text.

import { parse } from 'smol-toml';

/**
 * @param source valid TOML
 * @param key of an option, at the top of the file
 * @param value as the user writes it on the command line
 * @returns undefined if the text can't be changed safely
 */
export function withSetting(source: string, key: string, value: string): string | undefined {
  const end = source.includes('\r\n') ? '\r\n' : '\n';
  const lines = source.split(/\r?\n/);
  const setting = `${key} = ${literalOf(value)}`;
  const place = findSetting(lines, key);
  if (place === undefined) lines.splice(lineForNew(lines), 0, setting);
  else lines.splice(place.first, place.last - place.first + 1, `${setting}${place.comment}`);
  const text = lines.join(end);
  return isOnlyChange(source, text, key) ? text : undefined;
}

/** A number or a truth value stays one; all else is a string, which may be a list with commas. */
function literalOf(value: string): string {
  const isPlain = /^(true|false|0|[1-9]\d{0,14})$/.test(value);
  return isPlain ? value : JSON.stringify(value).replaceAll('\u007f', '\\u007f');
}

interface Place {
  readonly first: number;
  readonly last: number;
  /** What follows the value on its last line. */
  readonly comment: string;
}

/** A value may extend over several lines: it ends with the first line that makes it whole. */
function findSetting(lines: readonly string[], key: string): Place | undefined {
  const escaped = key.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const head = new RegExp(`^\\s*["']?${escaped}["']?\\s*=`);
  const top = firstTable(lines);
  const first = lines.findIndex((line, index) => index < top && head.test(line));
  if (first === -1) return undefined;
  for (let last = first; last < top; last++) {
    const value = parsed(lines.slice(first, last + 1).join('\n'));
    if (value === undefined) continue;
    const comment = commentOf(lines.slice(first, last).join('\n'), lines[last] ?? '', value);
    return { first, last, comment };
  }
  return undefined;
}

/** The part of the line that may be cut off without changing the value. */
function commentOf(before: string, line: string, value: object): string {
  for (let at = line.indexOf('#'); at !== -1; at = line.indexOf('#', at + 1)) {
    const rest = before === '' ? line.slice(0, at) : `${before}\n${line.slice(0, at)}`;
    const blanks = /\s*$/.exec(line.slice(0, at))?.[0] ?? '';
    if (isSame(parsed(rest), value)) return `${blanks}${line.slice(at)}`;
  }
  return '';
}

/** Behind the last option, or behind the comment at the top of the file. */
function lineForNew(lines: readonly string[]): number {
  const top = firstTable(lines);
  for (let index = top - 1; index >= 0; index--) {
    if (!/^\s*(#|$)/.test(lines[index] ?? '')) return index + 1;
  }
  const blank = lines.findIndex((line) => line.trim() === '');
  const isAbove = blank !== -1 && blank < top;
  return isAbove
    ? blank
    : Math.min(
        top,
        lines.findIndex((line) => !line.startsWith('#')),
      );
}

/** The options are above the first table. */
function firstTable(lines: readonly string[]): number {
  const index = lines.findIndex((line) => /^\s*\[/.test(line));
  return index === -1 ? lines.length : index;
}

function isOnlyChange(before: string, after: string, key: string): boolean {
  const [old, now] = [parsed(before), parsed(after)];
  if (old === undefined || now === undefined) return false;
  const others = (all: Record<string, unknown>) => ({ ...all, [key]: undefined });
  return isSame(others(old), others(now)) && now[key] !== undefined;
}

function isSame(one: unknown, other: unknown): boolean {
  const plain = (_: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value);
  return JSON.stringify(one, plain) === JSON.stringify(other, plain);
}

/** @returns undefined for what is not valid TOML */
function parsed(text: string): Record<string, unknown> | undefined {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}
