// Password files in mosquitto's format: `user:hash` on each line, and comments that begin with `#`.
// Parses a file, and edits it as text, which preserves comments and order. Each mistake is reported with
// its file and line; no message contains a password.

import { STRING_BYTES_MAX } from '../mqtt/limits.ts';
import { linesOf, Problems } from './file-lines.ts';
import { hashPassword, parsePasswordHash } from './password-hash.ts';
import { runAtOnce, type Steps } from './time-slices.ts';

interface Line {
  readonly name: string;
  /** Or a plain password, which `shoal passwd -U` hashes. */
  readonly hash: string;
}

export interface PasswordFile {
  /** The hash of each user as text; parsed only when it is needed, which saves memory. */
  readonly users: ReadonlyMap<string, string>;
  /** `file:line: problem`; if there is any, the file must not be used. */
  readonly problems: readonly string[];
}

/** For programs that serve no clients. */
export function parsePasswordFile(path: string, source: string): PasswordFile {
  return runAtOnce(readPasswordFile(path, Buffer.from(source)));
}

/** @param source UTF-8 */
export function* readPasswordFile(path: string, source: Buffer): Steps<PasswordFile> {
  const users = new Map<string, string>();
  const numbers = new Map<string, number>();
  const problems = new Problems(path);
  for (const { text: raw, number } of linesOf(source)) {
    yield;
    const line = splitLine(raw);
    if (line === undefined) continue;
    if (line === 'malformed') problems.add(number, 'a line must be user:hash');
    else {
      const problem = problemOf(line, numbers);
      if (problem !== undefined) problems.add(number, `user '${line.name}'${problem}`);
      numbers.set(line.name, number);
      users.set(line.name, line.hash);
    }
    if (problems.isFull) break;
  }
  return { users, problems: problems.list };
}

/** @param numbers the line of each user so far */
function problemOf({ name, hash }: Line, numbers: ReadonlyMap<string, number>): string | undefined {
  const before = numbers.get(name);
  if (before !== undefined) return ` already appears in line ${before}`;
  const parsed = parsePasswordHash(hash);
  return typeof parsed === 'string' ? `: ${parsed}` : undefined;
}

/** The problem with a user name for this file; undefined if it is valid. */
export function nameProblem(name: string): string | undefined {
  if (name === '' || name !== name.trim()) return 'a user name must not begin or end with a space';
  if (name.startsWith('#')) return 'a user name must not begin with #';
  if (/[:\p{Cc}]/u.test(name)) return 'a user name must not contain a colon or a control character';
  return Buffer.byteLength(name) > STRING_BYTES_MAX ? 'the user name is too long' : undefined;
}

/** The file's text with this user's hash replaced, or appended. */
export function setUser(source: string, name: string, hashText: string): string {
  const entry = `${name}:${hashText}`;
  const lines = textLinesOf(source);
  const index = lines.findIndex((line) => nameOn(line) === name);
  if (index === -1) lines.push(entry);
  else lines[index] = entry;
  return toText(lines);
}

/** The file's text without this user; undefined if it has no such user. */
export function removeUser(source: string, name: string): string | undefined {
  const lines = textLinesOf(source);
  const kept = lines.filter((line) => nameOn(line) !== name);
  return kept.length === lines.length ? undefined : toText(kept);
}

/** The file's text with every plain password hashed, and their number. */
export async function hashPlainPasswords(
  source: string,
  iterations?: number,
): Promise<{ text: string; hashed: number }> {
  const lines = textLinesOf(source);
  let hashed = 0;
  for (const [index, raw] of lines.entries()) {
    const line = splitLine(raw);
    if (line === undefined || line === 'malformed' || isHashed(line.hash)) continue;
    lines[index] = `${line.name}:${await hashPassword(line.hash, iterations)}`;
    hashed += 1;
  }
  return { text: toText(lines), hashed };
}

function isHashed(text: string): boolean {
  return /^\$(6|7|argon2id)\$/.test(text);
}

function splitLine(raw: string): Line | 'malformed' | undefined {
  const line = raw.trim();
  if (line === '' || raw.startsWith('#')) return undefined;
  const colon = line.indexOf(':');
  const name = line.slice(0, colon).trim();
  const hash = line.slice(colon + 1).trim();
  return colon === -1 || name === '' || hash === '' ? 'malformed' : { name, hash };
}

function nameOn(raw: string): string | undefined {
  const line = splitLine(raw);
  return typeof line === 'object' ? line.name : undefined;
}

function textLinesOf(source: string): string[] {
  return source === '' ? [] : source.replace(/\n$/, '').split('\n');
}

function toText(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}
