// Password files in mosquitto's format: `user:hash` on each line, and comments that begin with `#`.
// Parses a file, and edits it as text, which preserves comments and order. Each mistake is reported with
// its file and line; no message contains a password.

import { STRING_BYTES_MAX } from '../mqtt/limits.ts';
import { hashPassword, type PasswordHash, parsePasswordHash } from './password-hash.ts';

export interface PasswordEntry {
  /** The hash as text, which changes with the password. */
  readonly text: string;
  readonly hash: PasswordHash;
}

export interface PasswordFile {
  readonly users: ReadonlyMap<string, PasswordEntry>;
  /** `file:line: problem`; if there is any, the file must not be used. */
  readonly problems: readonly string[];
}

export function parsePasswordFile(path: string, source: string): PasswordFile {
  const users = new Map<string, PasswordEntry>();
  const places = new Map<string, number>();
  const problems: string[] = [];
  source.split('\n').forEach((raw, index) => {
    const line = splitLine(raw);
    if (line === undefined) return;
    const lineNumber = index + 1;
    const complain = (problem: string): void => {
      problems.push(`${path}:${lineNumber}: ${problem}`);
    };
    if (line === 'malformed') {
      complain('a line must be user:hash');
      return;
    }
    const before = places.get(line.name);
    if (before !== undefined) {
      complain(`user '${line.name}' already appears in line ${before}`);
      return;
    }
    places.set(line.name, lineNumber);
    const hash = parsePasswordHash(line.text);
    if (typeof hash === 'string') complain(`user '${line.name}': ${hash}`);
    else users.set(line.name, { text: line.text, hash });
  });
  return { users, problems };
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
  const lines = linesOf(source);
  const index = lines.findIndex((line) => nameOn(line) === name);
  if (index === -1) lines.push(entry);
  else lines[index] = entry;
  return toText(lines);
}

/** The file's text without this user; undefined if it has no such user. */
export function removeUser(source: string, name: string): string | undefined {
  const lines = linesOf(source);
  const kept = lines.filter((line) => nameOn(line) !== name);
  return kept.length === lines.length ? undefined : toText(kept);
}

/** The file's text with every plain password hashed, and their number. */
export async function hashPlainPasswords(
  source: string,
  iterations?: number,
): Promise<{ text: string; hashed: number }> {
  const lines = linesOf(source);
  let hashed = 0;
  for (const [index, raw] of lines.entries()) {
    const line = splitLine(raw);
    if (line === undefined || line === 'malformed' || isHashed(line.text)) continue;
    lines[index] = `${line.name}:${await hashPassword(line.text, iterations)}`;
    hashed += 1;
  }
  return { text: toText(lines), hashed };
}

function isHashed(text: string): boolean {
  return /^\$(6|7|argon2id)\$/.test(text);
}

function splitLine(raw: string): { name: string; text: string } | 'malformed' | undefined {
  const line = raw.trim();
  if (line === '' || raw.startsWith('#')) return undefined;
  const colon = line.indexOf(':');
  const name = line.slice(0, colon).trim();
  const text = line.slice(colon + 1).trim();
  return colon === -1 || name === '' || text === '' ? 'malformed' : { name, text };
}

function nameOn(raw: string): string | undefined {
  const line = splitLine(raw);
  return typeof line === 'object' ? line.name : undefined;
}

function linesOf(source: string): string[] {
  return source === '' ? [] : source.replace(/\n$/, '').split('\n');
}

function toText(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}
