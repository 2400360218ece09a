// The right to names that one owner has on a link: probes for them three times, announces them when no other
// owner has objected, and notices when one appears later. The caller decides what to do about a conflict.
// Pure: `now` is an argument, in ms. Invariant: names are held only after three probes without an objection, or
// by take(), with which an owner that has the right to them replaces another.
//
//   idle --begin--> probing --three probes, no objection--> held
//        --take---------------------------------------------> held
//
// Sources: RFC 6762 8 (probing, simultaneous probes, announcing) and 9 (conflicts).

import { type DnsRecord, isSameRecord, isSameSet, nameKey } from './dns-record.ts';

export interface ClaimPort {
  /** Asks all on the link whether they have these names. */
  probe(now: number, records: readonly DnsRecord[]): void;
  announce(now: number, records: readonly DnsRecord[]): void;
  held(now: number): void;
  /**
   * Another owner has one of the names. The claim is still what it was: begin() with other names,
   * begin() with the same ones to see whether they are defended, or withdraw().
   * @param records those of the other owner
   */
  conflicted(now: number, records: readonly DnsRecord[]): void;
}

const PROBES = 3;
const PROBE_INTERVAL_MS = 250;
/** After simultaneous probes the loser waits for the winner to hold the name. */
const DEFER_MS = 1000;
/** Intervals double. */
const ANNOUNCEMENTS = 3;
const ANNOUNCE_INTERVAL_MS = 1000;
/** More conflicts than this one after the other, and each further begin waits. */
const CONFLICTS_MAX = 15;
const CALM_MS = 10_000;
const SLOW_MS = 5000;

export class NameClaim {
  readonly #port: ClaimPort;
  readonly #random: () => number;
  #state: 'idle' | 'probing' | 'held' = 'idle';
  #records: readonly DnsRecord[] = [];
  #dueAt = Number.POSITIVE_INFINITY;
  /** Probes, or announcements once the names are held. */
  #sent = 0;
  #begun = 0;
  #lastBegunAt = Number.NEGATIVE_INFINITY;

  /** @param random in [0, 1) */
  constructor(random: () => number, port: ClaimPort) {
    this.#random = random;
    this.#port = port;
  }

  /** When advance() is due. */
  get deadline(): number {
    return this.#dueAt;
  }

  get isHeld(): boolean {
    return this.#state === 'held';
  }

  get isIdle(): boolean {
    return this.#state === 'idle';
  }

  get records(): readonly DnsRecord[] {
    return this.#records;
  }

  /** Probes for the names of these records. */
  begin(now: number, records: readonly DnsRecord[]): void {
    if (now - this.#lastBegunAt > CALM_MS) this.#begun = 0;
    this.#begun += 1;
    this.#lastBegunAt = now;
    const delayMs = this.#begun > CONFLICTS_MAX ? SLOW_MS : 0;
    this.#enter('probing', records, now + delayMs + this.#random() * PROBE_INTERVAL_MS);
  }

  /** Holds the names without asking. */
  take(now: number, records: readonly DnsRecord[]): void {
    this.#enter('held', records, now);
    this.#port.held(now);
  }

  /** The names have other data. */
  update(now: number, records: readonly DnsRecord[]): void {
    if (this.#state === 'held') this.#enter('held', records, now);
    else this.#records = records;
  }

  withdraw(): void {
    this.#enter('idle', [], Number.POSITIVE_INFINITY);
  }

  advance(now: number): void {
    if (now < this.#dueAt) return;
    if (this.#state === 'probing' && this.#sent < PROBES) {
      this.#sent += 1;
      this.#dueAt = now + PROBE_INTERVAL_MS;
      this.#port.probe(now, this.#records);
      return;
    }
    if (this.#state === 'probing') this.take(now, this.#records);
    this.#dueAt = Number.POSITIVE_INFINITY;
    if (this.#sent >= ANNOUNCEMENTS) return;
    this.#dueAt = now + ANNOUNCE_INTERVAL_MS * 2 ** this.#sent;
    this.#sent += 1;
    this.#port.announce(now, this.#records);
  }

  /** Takes the records of a response on this link. */
  hear(now: number, heard: readonly DnsRecord[]): void {
    if (this.#state === 'idle') return;
    const isConflict = heard.some(
      (record) =>
        record.ttlSeconds > 0 &&
        this.#records.some((own) => isSameSet(own, record)) &&
        !this.#records.some((own) => isSameRecord(own, record)),
    );
    if (isConflict) this.#port.conflicted(now, heard);
  }

  /** Takes the records that another prober on this link proposes. */
  hearProbe(now: number, proposed: readonly DnsRecord[]): void {
    if (this.#state !== 'probing') return;
    for (const key of new Set(this.#records.map(({ name }) => nameKey(name)))) {
      const [own, others] = [this.#records, proposed].map((records) =>
        records.filter(({ name }) => nameKey(name) === key),
      ) as [DnsRecord[], DnsRecord[]];
      if (others.length === 0 || compareSets(own, others) >= 0) continue;
      this.#enter('probing', this.#records, now + DEFER_MS);
      return;
    }
  }

  #enter(state: 'idle' | 'probing' | 'held', records: readonly DnsRecord[], dueAt: number): void {
    this.#state = state;
    this.#records = records;
    this.#sent = 0;
    this.#dueAt = dueAt;
  }
}

/** Of two simultaneous probers the one with the later set wins; negative if that is `other`. RFC 6762, 8.2. */
function compareSets(one: readonly DnsRecord[], other: readonly DnsRecord[]): number {
  const [a, b] = [one, other].map((records) => [...records].sort(compareRecords)) as [
    DnsRecord[],
    DnsRecord[],
  ];
  for (const [index, record] of a.entries()) {
    const opposite = b[index];
    if (opposite === undefined) return 1;
    const order = compareRecords(record, opposite);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function compareRecords(one: DnsRecord, other: DnsRecord): number {
  return one.type - other.type || Buffer.compare(one.data, other.data);
}
