// Parses an ACL file in mosquitto's format: a general section for clients without a user name, `user`
// sections, and `pattern` lines for all clients. permissions.ts applies the lines to a client. Each
// mistake is reported with its file and line.
// Source: mosquitto.conf(5) of mosquitto 2.0, acl_file.

import { STRING_BYTES_MAX } from '../mqtt/limits.ts';
import { isTopicFilter } from '../mqtt/topic.ts';
import { linesOf, Problems } from './file-lines.ts';
import { runAtOnce, type Steps } from './time-slices.ts';

const ACCESS_WORDS = ['read', 'write', 'readwrite', 'deny'] as const;
export type AclAccess = (typeof ACCESS_WORDS)[number];

const NO_NAME = "the name after 'user' is missing";
/** Any other word is no misspelt keyword; it may be a user with its password, in a file of another kind. */
const MISSPELT_KEYWORD = /^[a-z]{1,12}$/;

export interface AclLine {
  readonly lineNumber: number;
  /** The line without the space around it. */
  readonly text: string;
  readonly access: AclAccess;
  readonly filter: string;
}

export interface Acl {
  readonly path: string;
  /** For clients without a user name. */
  readonly general: readonly AclLine[];
  readonly users: ReadonlyMap<string, readonly AclLine[]>;
  readonly patterns: readonly AclLine[];
}

export interface ParsedAcl {
  readonly acl: Acl;
  /** `file:line: problem`; if there is any, the ACL must not be used. */
  readonly problems: readonly string[];
}

/** For programs that serve no clients. */
export function parseAcl(path: string, source: string): ParsedAcl {
  return runAtOnce(readAcl(path, Buffer.from(source)));
}

/** @param source UTF-8 */
export function* readAcl(path: string, source: Buffer): Steps<ParsedAcl> {
  const general: AclLine[] = [];
  const users = new Map<string, AclLine[]>();
  const patterns: AclLine[] = [];
  const problems = new Problems(path);
  let section = general;
  for (const { text: raw, number } of linesOf(source)) {
    yield;
    const text = raw.trim();
    if (text === '' || text.startsWith('#')) continue;
    const [, keyword = '', rest = ''] = /^(\S+)\s*(.*)$/su.exec(text) ?? [];
    if (keyword === 'user' && rest !== '') {
      section = users.get(rest) ?? [];
      users.set(rest, section);
    } else if (keyword === 'topic' || keyword === 'pattern') {
      const line = parseRule(rest, text, number);
      if (typeof line === 'string') problems.add(number, line);
      else (keyword === 'topic' ? section : patterns).push(line);
    } else {
      problems.add(number, keyword === 'user' ? NO_NAME : unknownKeyword(keyword));
    }
    if (problems.isFull) break;
  }
  return { acl: { path, general, users, patterns }, problems: problems.list };
}

/** Shows little of a line that may come from another file, which may be secret. */
function unknownKeyword(keyword: string): string {
  const shown = MISSPELT_KEYWORD.test(keyword) ? `'${keyword}'` : 'the first word';
  return `${shown} is unknown; a line begins with user, topic, pattern or #`;
}

/** Parses `[read|write|readwrite|deny] FILTER`; the default is readwrite. */
function parseRule(rest: string, text: string, lineNumber: number): AclLine | string {
  const [, word = '', behind = ''] = /^(\S*)\s*(.*)$/su.exec(rest) ?? [];
  if (word === '') return 'the topic filter is missing';
  const filter = behind === '' ? word : behind;
  const access = behind === '' ? 'readwrite' : ACCESS_WORDS.find((known) => known === word);
  if (access === undefined) {
    return `'${word}' is not one of read, write, readwrite and deny`;
  }
  if (filter.includes('\0') || !isTopicFilter(filter)) {
    return `'${filter}' is not a topic filter: + must fill a whole level, # the last one`;
  }
  if (Buffer.byteLength(filter) > STRING_BYTES_MAX) return 'the topic filter is too long';
  return { lineNumber, text, access, filter };
}
