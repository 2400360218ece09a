// The permissions of one client: the ACL lines that apply to it, or the topic lists of its token. Follows
// mosquitto: the client's own section comes before the patterns, and in each of the two, denials come
// first. The first line that matches the topic and the kind of access decides; without one, access is
// denied.
// Invariant: a user name or client id that contains + # or / gives access to no further topic.

import type { AccessRule } from '../broker/ports.ts';
import { covers, intersect, type Levels, levelsOf } from '../mqtt/filter-algebra.ts';
import { ReasonCode } from '../mqtt/reason-code.ts';
import { isReservedTopic, levelsMatch } from '../mqtt/topic.ts';
import type { Acl, AclLine } from './acl-file.ts';

/** Cached decisions on publishing: number of topics, and characters of all of them together. */
const CACHED_TOPICS_MAX = 256;
const CACHED_CHARS_MAX = 8192;

export type Access = 'read' | 'write';

export interface Rule {
  readonly levels: Levels;
  readonly deny: boolean;
  readonly read: boolean;
  readonly write: boolean;
  /** Line of the ACL file; undefined for a rule from a token. */
  readonly line: AclLine | undefined;
}

/** Topic Filters granted by a token or an authentication server. */
export interface TopicClaims {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/** Number of rules evaluated for messages so far, for all clients together. */
export const evaluationCost = { rules: 0 };

export class Permissions {
  readonly #rules: readonly Rule[];
  #answers: Map<string, boolean> | undefined;
  #cachedChars = 0;

  constructor(rules: readonly Rule[]) {
    this.#rules = rules;
  }

  mayPublish(topic: string): boolean {
    this.#answers ??= new Map();
    let answer = this.#answers.get(topic);
    if (answer === undefined) {
      answer = this.allows('write', topic);
      if (topic.length <= CACHED_CHARS_MAX) this.#cache(this.#answers, topic, answer);
    }
    return answer;
  }

  #cache(answers: Map<string, boolean>, topic: string, answer: boolean): void {
    this.#cachedChars += topic.length;
    const isFull = answers.size >= CACHED_TOPICS_MAX;
    if (isFull || this.#cachedChars > CACHED_CHARS_MAX) {
      answers.clear();
      this.#cachedChars = topic.length;
    }
    answers.set(topic, answer);
  }

  allows(access: Access, topic: string): boolean {
    return this.decide(access, topic)?.deny === false;
  }

  /** The rule that decides; undefined if none matches, which denies access. */
  decide(access: Access, topic: string): Rule | undefined {
    const levels = topic.split('/');
    const decides = (rule: Rule): boolean =>
      (rule.deny || rule[access]) && levelsMatch(rule.levels, levels);
    const at = this.#rules.findIndex(decides);
    evaluationCost.rules += at < 0 ? this.#rules.length : at + 1;
    return this.#rules[at];
  }

  /** For people. @param path of the ACL file */
  list(path: string): AccessRule[] {
    return this.#rules.map(({ levels, deny, read, write, line }) => ({
      access: deny ? 'deny' : read && write ? 'readwrite' : read ? 'read' : 'write',
      filter: levels.join('/'),
      place: line === undefined ? 'token' : `${path}:${line.lineNumber}`,
    }));
  }

  maySubscribe(filter: string): boolean {
    return this.subscriptionRefusal(filter) === 0;
  }

  /** 0 if permitted; 0x87 if no rule permits any of it; 0x80 without a reason if a `deny` forbids it. */
  subscriptionRefusal(filter: string): number {
    const rule = this.decideSubscribe(filter);
    if (rule === undefined) return ReasonCode.notAuthorized;
    return rule.deny ? ReasonCode.unspecifiedError : 0;
  }

  /** True if one line allows the whole filter and no earlier line denies a part of it. */
  mayReadAll(filter: string): boolean {
    const wanted = levelsOf(filter);
    const first = this.#rules.find(({ deny, read, levels }) =>
      deny ? intersect(levels, wanted) !== undefined : read && covers(levels, wanted),
    );
    return first?.deny === false;
  }

  /**
   * Decides on a subscription, which is permitted if it can match any topic that may be read.
   * @returns the first rule that permits it, else the denial that forbids it, else undefined
   */
  decideSubscribe(filter: string): Rule | undefined {
    const wanted = levelsOf(filter);
    const denials: Rule[] = [];
    let obstacle: Rule | undefined;
    for (const rule of this.#rules) {
      const common = rule.deny || rule.read ? intersect(rule.levels, wanted) : undefined;
      if (common === undefined) continue;
      if (rule.deny) {
        denials.push(rule);
        continue;
      }
      const denial = denials.find(({ levels }) => covers(levels, common));
      if (denial === undefined) return rule;
      obstacle ??= denial;
    }
    return obstacle ?? denials.find(({ levels }) => covers(levels, wanted));
  }
}

/** The rules of the file for one client, in the order of evaluation. */
export function rulesOf(acl: Acl, username: string | undefined, clientId: string): Rule[] {
  const own = username === undefined ? acl.general : (acl.users.get(username) ?? []);
  const patterns = acl.patterns.flatMap((line) => {
    const filter = substitute(line, username, clientId);
    return filter === undefined ? [] : [toRule(line, filter)];
  });
  return [...deniesFirst(own.map((line) => toRule(line, line.filter))), ...deniesFirst(patterns)];
}

/** The rules of a client whose token lists its topics, in addition to the denials of the file. */
export function rulesOfClaims(granted: TopicClaims, fileRules: readonly Rule[]): Rule[] {
  const allow = (filter: string, read: boolean): Rule => ({
    levels: levelsOf(filter),
    deny: false,
    read,
    write: !read,
    line: undefined,
  });
  return [
    ...fileRules.filter((rule) => rule.deny),
    ...granted.publish.map((filter) => allow(filter, false)),
    ...granted.subscribe.map((filter) => allow(filter, true)),
  ];
}

/** True if the lines for a user do not depend on the Client Identifier. */
export function isIndependentOfClientId(acl: Acl): boolean {
  return !acl.patterns.some((line) => line.filter.includes('%c'));
}

function deniesFirst(rules: readonly Rule[]): Rule[] {
  return [...rules.filter((rule) => rule.deny), ...rules.filter((rule) => !rule.deny)];
}

/** Rules without a name in their filter, shared by all clients. */
const commonRules = new WeakMap<AclLine, Rule>();

function toRule(line: AclLine, filter: string): Rule {
  const known = filter === line.filter ? commonRules.get(line) : undefined;
  if (known !== undefined) return known;
  const { access } = line;
  const rule = {
    levels: levelsOf(filter),
    deny: access === 'deny',
    read: access === 'read' || access === 'readwrite',
    write: access === 'write' || access === 'readwrite',
    line,
  };
  if (filter === line.filter) commonRules.set(line, rule);
  return rule;
}

/**
 * Inserts the client's names into the filter of a pattern. Where a name would change the structure of
 * the filter, a pattern that allows does not apply, and one that denies applies with the changed filter.
 * @returns undefined if the pattern does not apply to this client
 */
function substitute(
  { filter, access }: AclLine,
  username: string | undefined,
  clientId: string,
): string | undefined {
  const usesName = filter.includes('%u');
  if (usesName && username === undefined) return undefined;
  const names = [
    ...(usesName ? [username ?? ''] : []),
    ...(filter.includes('%c') ? [clientId] : []),
  ];
  const filled = filter.replace(/%[cu]/g, (mark) => (mark === '%u' ? (username ?? '') : clientId));
  if (access === 'deny') return filled;
  const isDangerous = names.some((name) => /[+#/]/.test(name));
  const reachesDollar = isReservedTopic(filled) && !isReservedTopic(filter);
  return isDangerous || reachesDollar ? undefined : filled;
}
