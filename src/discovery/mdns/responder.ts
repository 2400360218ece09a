// Multicast DNS on one link: holds the names of this node and perhaps the name of the site, announces them, and
// answers questions for them. Uses no socket and no clock: `now` is a monotonic number of milliseconds.
// Invariants: nothing is answered for a name that is not held; a record is multicast at most once in a second
// (four times for objections to probes); answers by unicast are few and carry no more than was asked
// for; nothing that is received is kept, but the names of hosts in conflict.
// Sources: RFC 6762, RFC 6763; decisions 0173 and 0174.

import type { Endpoint } from '../../shared/endpoint.ts';
import {
  type AnnouncedRecords,
  type AnnouncedService,
  absences,
  nodeRecords,
  pointersTo,
} from './announced-records.ts';
import { AnswerQueue } from './answer-queue.ts';
import { type DnsMessage, type DnsQuestion, NO_RECORDS } from './dns-codec.ts';
import { type DnsRecord, isSameRecord, nameKey, RecordType, targetKey } from './dns-record.ts';
import { NameClaim } from './name-claim.ts';
import { SiteName } from './site-name.ts';

/** What this node has on the link. */
export interface LinkFacts {
  /** At least one. */
  readonly services: readonly AnnouncedService[];
  /** Where its services are reached; at least one. */
  readonly addresses: readonly string[];
  /** Addresses of the clients (-address) on this link, while this node holds the first of them. */
  readonly held: readonly string[];
}

export interface ResponderPort {
  multicast(message: DnsMessage): void;
  unicast(message: DnsMessage, to: Endpoint): void;
  /** The node is announced under its names from now on. */
  announced(names: readonly string[]): void;
  /** A name belongs to another host. */
  inUse(name: string, instead: string): void;
  siteHeld(name: string, isHeld: boolean): void;
}

export interface ResponderOptions {
  readonly nodeName: string;
  /** Without the domain. */
  readonly siteName: string;
  /** In [0, 1). */
  readonly random: () => number;
}

export interface ResponderCounters {
  queries: number;
  /** Messages. */
  answers: number;
  /** Names that belonged to another host. */
  conflicts: number;
  /** Questions that had no answer by unicast because of their rate. */
  limited: number;
}

/** Of multicast DNS; a querier with another port is an ordinary resolver. */
export const MDNS_PORT = 5353;
/** A record of several nodes is answered after a random time. RFC 6762, 6. */
const SHARED_DELAY_MS = [20, 120] as const;
/** The asker names what it knows in further messages. RFC 6762, 6. */
const TRUNCATED_DELAY_MS = [400, 500] as const;
/** An ordinary resolver does not hear of changes. RFC 6762, 6.7. */
const LEGACY_SECONDS_MAX = 10;
const UNICASTS_PER_SECOND = 10;
/** Usually within one Ethernet frame. */
const RECORDS_PER_MESSAGE = 16;
/** Members that were lost, for the next holder of the name. */
const LOST_MAX = 64;
const MEMBERS_MAX = 1024;

export class Responder {
  readonly counters: ResponderCounters;
  readonly #options: ResponderOptions;
  readonly #port: ResponderPort;
  readonly #own: NameClaim;
  readonly #site: SiteName;
  readonly #queue = new AnswerQueue();
  #facts: LinkFacts = { services: [], addresses: [], held: [] };
  #attempt = 1;
  #wanted: AnnouncedRecords = { unique: [], shared: [] };
  /** Everything that may be answered now. */
  #all: readonly DnsRecord[] = [];
  #absences: readonly DnsRecord[] = [];
  /** Names of nodes that are or were in the cluster. */
  readonly #members = new Set<string>();
  #online: ReadonlySet<string> = new Set();
  readonly #lost = new Set<string>();
  #unicastsLeft = UNICASTS_PER_SECOND;
  #unicastsSince = Number.NEGATIVE_INFINITY;

  /** @param counters may be shared by several responders */
  constructor(options: ResponderOptions, port: ResponderPort, counters: ResponderCounters) {
    this.#options = options;
    this.#port = port;
    this.counters = counters;
    const { random, nodeName, siteName: label } = options;
    const probe = (_: number, records: readonly DnsRecord[]): void => this.#probe(records);
    this.#own = new NameClaim(random, {
      probe,
      announce: (now, unique) => this.#send(now, [...unique, ...this.#wanted.shared], []),
      held: () => this.#ownHeld(),
      conflicted: (now) => this.#ownConflicted(now),
    });
    this.#site = new SiteName(
      { label, nodeName, random, isMember: (name) => this.#members.has(name) },
      {
        probe,
        announce: (now, records) => this.#send(now, records, []),
        goodbye: (now, records) => this.#goodbye(now, records),
        holds: (now, isHeld) => this.#siteHeld(now, isHeld),
        inUse: (name, instead) => this.#inUse(name, instead),
      },
    );
  }

  /** When advance() is due. */
  get deadline(): number {
    return Math.min(this.#own.deadline, this.#site.deadline, this.#queue.deadline);
  }

  /** The name of the site, if a node of this cluster answers for it on this link. */
  get siteName(): string | undefined {
    return this.#site.isAnswered ? this.#site.name : undefined;
  }

  get isSiteHeld(): boolean {
    return this.#site.isHeld;
  }

  get isAnnounced(): boolean {
    return this.#own.isHeld;
  }

  /** Takes what this node has on the link; again after each change. */
  setFacts(now: number, facts: LinkFacts): void {
    const former = this.#facts;
    this.#facts = facts;
    const { addresses, held } = facts;
    const areNamesSame = JSON.stringify(facts.services) === JSON.stringify(former.services);
    const isSame = areNamesSame && addresses.join() === former.addresses.join();
    if (!isSame) this.#renew(now, areNamesSame);
    this.#site.setAddresses(now, held.length > 0 ? held : addresses, held.length > 0);
    if (!isSame) this.#gather();
  }

  /** Takes the names of the online members, without this node. */
  setOnline(now: number, online: ReadonlySet<string>): void {
    for (const name of this.#online) {
      if (!online.has(name) && this.#lost.size < LOST_MAX) this.#lost.add(name);
    }
    for (const name of online) {
      this.#lost.delete(name);
      if (this.#members.size < MEMBERS_MAX) this.#members.add(name);
    }
    const isSame =
      online.size === this.#online.size && [...online].every((name) => this.#online.has(name));
    this.#online = online;
    if (isSame) return;
    this.#withdrawLost(now);
    this.#site.membersChanged(now);
  }

  /** Does everything that is due at `now`. */
  advance(now: number): void {
    this.#own.advance(now);
    this.#site.advance(now);
    const due = this.#queue.take(now);
    if (due.length === 0) return;
    const additionals = this.#additionalsTo(due).filter((one) => !this.#queue.wasSent(now, one));
    this.#send(now, due, additionals);
  }

  /** @param from on this link, which the caller has checked */
  handle(now: number, from: Endpoint, message: DnsMessage): void {
    if (message.isResponse) this.#handleResponse(now, message);
    else this.#handleQuery(now, from, message);
  }

  /** Withdraws all records from the caches on the link. */
  leave(now: number): void {
    this.#site.leave(now);
    this.#withdraw(now);
    this.#gather();
  }

  /** Other services have other names. */
  #renew(now: number, areNamesSame: boolean): void {
    if (!areNamesSame) this.#withdraw(now);
    this.#wanted = this.#recordsOf(this.#attempt);
    if (areNamesSame) this.#own.update(now, this.#wanted.unique);
    else this.#own.begin(now, this.#wanted.unique);
  }

  /** The names of the node, not that of the site. */
  #withdraw(now: number): void {
    if (this.#own.isHeld) this.#goodbye(now, [...this.#own.records, ...this.#wanted.shared]);
    this.#own.withdraw();
  }

  #recordsOf(attempt: number): AnnouncedRecords {
    const { nodeName, siteName } = this.#options;
    const { services, addresses } = this.#facts;
    return nodeRecords(nodeName, siteName, services, addresses, attempt);
  }

  #ownHeld(): void {
    this.#gather();
    this.#port.announced([...new Set(this.#own.records.map(({ name }) => name))]);
  }

  #ownConflicted(now: number): void {
    if (!this.#own.isHeld) {
      const [former] = this.#wanted.unique;
      this.#attempt += 1;
      this.#wanted = this.#recordsOf(this.#attempt);
      this.#inUse(former?.name ?? '', this.#wanted.unique[0]?.name ?? '');
    }
    this.#own.begin(now, this.#wanted.unique);
    this.#gather();
  }

  #inUse(name: string, instead: string): void {
    this.counters.conflicts += 1;
    this.#port.inUse(name, instead);
  }

  #siteHeld(now: number, isHeld: boolean): void {
    this.#gather();
    this.#port.siteHeld(this.#site.name, isHeld);
    if (isHeld) this.#withdrawLost(now);
  }

  /** A node that was killed has withdrawn nothing: the holder of the site's name does it. One that lives objects. */
  #withdrawLost(now: number): void {
    if (!this.#site.isHeld) return;
    this.#goodbye(now, [...this.#lost].flatMap(pointersTo));
    this.#lost.clear();
  }

  #gather(): void {
    const own = this.#own.isHeld ? this.#own.records : [];
    const unique = [...own, ...this.#site.records];
    this.#all = [...unique, ...(this.#own.isHeld ? this.#wanted.shared : [])];
    this.#absences = absences(unique);
    this.#queue.keep([...this.#all, ...this.#absences]);
  }

  #handleResponse(now: number, { answers, additionals }: DnsMessage): void {
    const records = [...answers, ...additionals];
    this.#own.hear(now, records);
    this.#site.hear(now, records);
    for (const own of this.#all) {
      // Another host has it for a shorter time than it is true. RFC 6762, 6.6.
      const isShort = records.some(
        (one) => one.ttlSeconds < own.ttlSeconds / 2 && isSameRecord(one, own),
      );
      if (isShort) this.#queue.add(now, own, 0);
    }
  }

  #handleQuery(now: number, from: Endpoint, query: DnsMessage): void {
    this.counters.queries += 1;
    if (from.port !== MDNS_PORT) {
      this.#answerResolver(now, from, query);
      return;
    }
    const isProbe = query.authorities.length > 0;
    if (isProbe) {
      this.#own.hearProbe(now, query.authorities);
      this.#site.hearProbe(now, query.authorities);
    }
    for (const question of query.questions) {
      const asked = this.#answersTo(question).filter((one) => !isKnown(one, query.answers));
      const isRecent = asked.every((one) => this.#queue.wasSent(now, one, one.ttlSeconds * 250));
      if (question.wantsUnicast && isRecent && asked.length > 0 && !isProbe) {
        this.#unicast(now, { ...NO_RECORDS, id: 0, isResponse: true, answers: asked }, from);
        continue;
      }
      const isShared = asked.some(({ isUnique }) => !isUnique);
      const delay = query.isTruncated ? TRUNCATED_DELAY_MS : SHARED_DELAY_MS;
      const delayMs = isShared || query.isTruncated ? this.#between(delay) : 0;
      for (const one of asked) this.#queue.add(now, one, delayMs, isProbe);
    }
  }

  /** An ordinary resolver gets an ordinary answer. RFC 6762, 6.7. */
  #answerResolver(now: number, from: Endpoint, { id, questions }: DnsMessage): void {
    const [question] = questions;
    if (question === undefined || questions.length > 1) return;
    const answers = this.#answersTo(question).map((one) => ({
      ...one,
      isUnique: false,
      ttlSeconds: Math.min(one.ttlSeconds, LEGACY_SECONDS_MAX),
    }));
    if (answers.length === 0) return;
    const asked = { ...question, wantsUnicast: false };
    const message = { ...NO_RECORDS, id, isResponse: true, questions: [asked], answers };
    this.#unicast(now, message, from);
  }

  #answersTo({ name, type }: DnsQuestion): DnsRecord[] {
    const key = nameKey(name);
    const named = this.#all.filter((one) => nameKey(one.name) === key);
    if (type === RecordType.ANY) return named;
    const found = named.filter((one) => one.type === type);
    if (found.length > 0 || !named.some(({ isUnique }) => isUnique)) return found;
    return this.#absences.filter((one) => nameKey(one.name) === key);
  }

  /** What the asker will want next: everything under the names that were asked for and that answers lead to. */
  #additionalsTo(answers: readonly DnsRecord[]): DnsRecord[] {
    const found = new Set(answers);
    for (const record of found) {
      const keys = [targetKey(record), record.isUnique ? nameKey(record.name) : undefined];
      for (const one of this.#all) {
        if (one.isUnique && keys.includes(nameKey(one.name))) found.add(one);
      }
    }
    const names = new Set([...found].filter(({ isUnique }) => isUnique).map(({ name }) => name));
    for (const one of this.#absences) if (names.has(one.name)) found.add(one);
    return [...found].slice(answers.length);
  }

  #probe(records: readonly DnsRecord[]): void {
    const names = [...new Set(records.map(({ name }) => name))];
    this.#port.multicast({
      ...NO_RECORDS,
      id: 0,
      isResponse: false,
      // Other responders on this machine share the port, so that an answer by unicast may go to them.
      questions: names.map((name) => ({ name, type: RecordType.ANY, wantsUnicast: false })),
      authorities: records.map((record) => ({ ...record, isUnique: false })),
    });
  }

  #goodbye(now: number, records: readonly DnsRecord[]): void {
    this.#send(
      now,
      records.map((record) => ({ ...record, ttlSeconds: 0 })),
      [],
    );
  }

  #send(now: number, answers: readonly DnsRecord[], additionals: readonly DnsRecord[]): void {
    for (let index = 0; index < answers.length; index += RECORDS_PER_MESSAGE) {
      const part = answers.slice(index, index + RECORDS_PER_MESSAGE);
      const extra = additionals.slice(0, RECORDS_PER_MESSAGE - part.length);
      this.counters.answers += 1;
      for (const one of [...part, ...extra]) this.#queue.sent(now, one);
      const message = { ...NO_RECORDS, id: 0, isResponse: true };
      this.#port.multicast({ ...message, answers: part, additionals: extra });
    }
  }

  /** Without additional records: the address of the asker may be forged. */
  #unicast(now: number, message: DnsMessage, to: Endpoint): void {
    if (now - this.#unicastsSince >= 1000) {
      this.#unicastsSince = now;
      this.#unicastsLeft = UNICASTS_PER_SECOND;
    }
    if (this.#unicastsLeft === 0) {
      this.counters.limited += 1;
      return;
    }
    this.#unicastsLeft -= 1;
    this.counters.answers += 1;
    this.#port.unicast(message, to);
  }

  #between([low, high]: readonly [number, number]): number {
    return low + this.#options.random() * (high - low);
  }
}

/** Whether the asker has the record for at least half of its time. RFC 6762, 7.1. */
function isKnown(record: DnsRecord, answers: readonly DnsRecord[]): boolean {
  return answers.some(
    (one) => isSameRecord(one, record) && one.ttlSeconds >= record.ttlSeconds / 2,
  );
}
