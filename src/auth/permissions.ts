// What one client may do: the lines of the ACL that concern it, or the lists of its token, in the
// order in which they count. mosquitto's evaluation: the client's own section goes before the
// patterns, and within each of the two a denial goes before everything else; the first line that
// matches and says something about the access decides; without one the answer is no.
// Invariant: a name that holds + # or / opens no topic to its bearer that the file didn't mean.

import { ReasonCode } from '../mqtt/reason-code.ts';
import { isReservedTopic } from '../mqtt/topic.ts';
import type { Acl, AclLine } from './acl-file.ts';
import { covers, intersect, type Levels, levelsOf, matches } from './filter-algebra.ts';

/** Topics whose answer is remembered, for publishing, and the characters of them all. */
const REMEMBERED_TOPICS_MAX = 256;
const REMEMBERED_CHARS_MAX = 8192;

export type Wish = 'read' | 'write';

export interface Rule {
  readonly levels: Levels;
  readonly deny: boolean;
  readonly read: boolean;
  readonly write: boolean;
  /** The line that it comes from; undefined for a token's. */
  readonly line: AclLine | undefined;
}

/** Topic Filters that a token or an authentication server gave. */
export interface TopicClaims {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/** What decisions on messages have cost so far, over all clients. */
export const effort = { rules: 0 };

export class Permissions {
  readonly #rules: readonly Rule[];
  #answers: Map<string, boolean> | undefined;
  #charsRemembered = 0;

  constructor(rules: readonly Rule[]) {
    this.#rules = rules;
  }

  mayPublish(topic: string): boolean {
    this.#answers ??= new Map();
    let answer = this.#answers.get(topic);
    if (answer === undefined) {
      answer = this.allows('write', topic);
      if (topic.length <= REMEMBERED_CHARS_MAX) this.#remember(this.#answers, topic, answer);
    }
    return answer;
  }

  #remember(answers: Map<string, boolean>, topic: string, answer: boolean): void {
    this.#charsRemembered += topic.length;
    const isFull = answers.size >= REMEMBERED_TOPICS_MAX;
    if (isFull || this.#charsRemembered > REMEMBERED_CHARS_MAX) {
      answers.clear();
      this.#charsRemembered = topic.length;
    }
    answers.set(topic, answer);
  }

  allows(wish: Wish, topic: string): boolean {
    return this.decide(wish, topic)?.deny === false;
  }

  /** The rule that decides; undefined where none matches, which means no. */
  decide(wish: Wish, topic: string): Rule | undefined {
    const levels = topic.split('/');
    const decides = (rule: Rule): boolean =>
      (rule.deny || rule[wish]) && matches(rule.levels, levels);
    const at = this.#rules.findIndex(decides);
    effort.rules += at < 0 ? this.#rules.length : at + 1;
    return this.#rules[at];
  }

  maySubscribe(filter: string): boolean {
    return this.subscriptionRefusal(filter) === 0;
  }

  /** 0x87 for who has no right to any of it; 0x80 where a `deny` is in the way: it gives no reason. */
  subscriptionRefusal(filter: string): number {
    const rule = this.decideSubscribe(filter);
    if (rule === undefined) return ReasonCode.notAuthorized;
    return rule.deny ? ReasonCode.unspecifiedError : 0;
  }

  /**
   * A subscription is allowed as long as it can match anything that may be read, by the first line
   * that lets it; the denial that is in its way otherwise, undefined where nothing may be read.
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

/** The rules of the file for one client, in the order in which they count. */
export function rulesOf(acl: Acl, username: string | undefined, clientId: string): Rule[] {
  const own = username === undefined ? acl.general : (acl.users.get(username) ?? []);
  const patterns = acl.patterns.flatMap((line) => {
    const filter = substitute(line, username, clientId);
    return filter === undefined ? [] : [toRule(line, filter)];
  });
  return [...deniesFirst(own.map((line) => toRule(line, line.filter))), ...deniesFirst(patterns)];
}

/**
 * The rules of a client whose token lists its topics: the denials of the file stay, what is allowed
 * is the token's.
 */
export function rulesOfGrant(granted: TopicClaims, fileRules: readonly Rule[]): Rule[] {
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

/** True where the lines for a user name are the same whatever the Client Identifier is. */
export function isSameForAllClients(acl: Acl): boolean {
  return !acl.patterns.some((line) => line.filter.includes('%c'));
}

function deniesFirst(rules: readonly Rule[]): Rule[] {
  return [...rules.filter((rule) => rule.deny), ...rules.filter((rule) => !rule.deny)];
}

/** What no name was put into: one for all clients. */
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
 * The filter of a pattern with the client's names in it; undefined where the pattern is not for
 * this client. Where a name would change the shape of the filter, a pattern that allows is no use
 * to the client; one that denies holds in whatever form it takes.
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
