// The name of the site on one link (shoal.local): of the nodes of a cluster that are on the link, exactly one
// holds it. The nodes elect it as RFC 6762 has names claimed: each probes, and the one that holds the name
// objects. A node that meets the objection of a member is on standby: it probes again when a member is
// lost, when the holder says goodbye, and once a minute if it has heard of no holder. The node that holds
// the address of the clients (-address) takes the name from the others.
//
// Two members that both held it, as after a partition, hear of each other: one gives it up at once, and
// if both do, the first to probe again has it. Pure: `now` is an argument, in ms.
// Sources: RFC 6762 2, 8 and 9; decision 0174.

import { hostOf, nodeOf, siteRecords } from './announced-records.ts';
import { type DnsRecord, nameKey } from './dns-record.ts';
import { type ClaimPort, NameClaim } from './name-claim.ts';

export interface SiteNamePort extends Pick<ClaimPort, 'probe' | 'announce'> {
  goodbye(now: number, records: readonly DnsRecord[]): void;
  /** This node begins to hold the name, or stops. */
  holds(now: number, isHeld: boolean): void;
  /** The name belongs to a host that is no member: another one is probed. */
  inUse(name: string, instead: string): void;
}

export interface SiteNameOptions {
  /** Without the domain. */
  readonly label: string;
  readonly nodeName: string;
  /** In [0, 1). */
  readonly random: () => number;
  /** Whether a node of this name is or was in the cluster. */
  readonly isMember: (nodeName: string) => boolean;
}

/** On standby, from the last sign of a holder to the next probe. */
const STANDBY_MS = 60_000;
/** After this node gave the name up: the other one may have done so, too. */
const YIELDED_MS = 1000;
const RIGHTFUL_MS = 2000;

export class SiteName {
  readonly #options: SiteNameOptions;
  readonly #port: SiteNamePort;
  readonly #claim: NameClaim;
  #addresses: readonly string[] = [];
  /** This node holds the address of the clients. */
  #isRightful = false;
  #attempt = 1;
  /** The owner of the name before, by its node name; undefined at the first name. */
  #stranger: string | undefined;
  /** By another node. */
  #isAnswered = false;
  /** When a node on standby probes; Infinity for all others. */
  #standbyUntil = Number.POSITIVE_INFINITY;

  constructor(options: SiteNameOptions, port: SiteNamePort) {
    this.#options = options;
    this.#port = port;
    this.#claim = new NameClaim(options.random, {
      probe: (now, records) => port.probe(now, records),
      announce: (now, records) => port.announce(now, records),
      held: (now) => this.#held(now),
      conflicted: (now, records) => this.#conflicted(now, records),
    });
  }

  get name(): string {
    return hostOf(this.#options.label, this.#attempt);
  }

  get isHeld(): boolean {
    return this.#claim.isHeld;
  }

  /** Whether a node of this cluster answers for the name, as far as this one knows. */
  get isAnswered(): boolean {
    return this.isHeld || this.#isAnswered;
  }

  /** Empty unless the name is held. */
  get records(): readonly DnsRecord[] {
    return this.isHeld ? this.#claim.records : [];
  }

  get deadline(): number {
    return Math.min(this.#claim.deadline, this.#standbyUntil);
  }

  /** @param addresses to which the name leads while this node holds it, at least one */
  setAddresses(now: number, addresses: readonly string[], isRightful: boolean): void {
    const isSame = isRightful === this.#isRightful && addresses.join() === this.#addresses.join();
    const wasRightful = this.#isRightful;
    this.#addresses = addresses;
    this.#isRightful = isRightful;
    if (this.#claim.isIdle && this.#standbyUntil === Number.POSITIVE_INFINITY) {
      this.#begin(now);
    } else if (isSame) {
      return;
    } else if (isRightful) {
      this.#take(now);
    } else if (wasRightful) {
      this.#standBy(now, RIGHTFUL_MS);
    } else {
      this.#claim.update(now, this.#wanted());
    }
  }

  advance(now: number): void {
    this.#claim.advance(now);
    if (now < this.#standbyUntil) return;
    if (this.#isRightful) this.#take(now);
    else this.#begin(now);
  }

  /** Takes the records of a response on this link. */
  hear(now: number, records: readonly DnsRecord[]): void {
    if (this.#standbyUntil < Number.POSITIVE_INFINITY) {
      const key = nameKey(this.name);
      const about = records.filter(({ name }) => nameKey(name) === key);
      if (about.length > 0 && !this.#isRightful) {
        const isHeld = about.some(({ ttlSeconds }) => ttlSeconds > 0);
        this.#standbyUntil = now + (isHeld ? this.#jittered(STANDBY_MS) : 0);
      }
    }
    this.#claim.hear(now, records);
  }

  hearProbe(now: number, proposed: readonly DnsRecord[]): void {
    this.#claim.hearProbe(now, proposed);
  }

  /** A member was found, or lost. */
  membersChanged(now: number): void {
    if (this.#stranger !== undefined && this.#options.isMember(this.#stranger)) {
      this.leave(now);
      this.#attempt = 1;
      this.#stranger = undefined;
      this.#begin(now);
    } else if (this.#standbyUntil < Number.POSITIVE_INFINITY) {
      this.#standbyUntil = now;
    }
  }

  /** Withdraws the name from all caches on the link. */
  leave(now: number): void {
    if (this.isHeld) this.#port.goodbye(now, this.#claim.records);
    this.#isAnswered = false;
    this.#standbyUntil = Number.POSITIVE_INFINITY;
    this.#withdraw(now);
  }

  #withdraw(now: number): void {
    const wasHeld = this.isHeld;
    this.#claim.withdraw();
    if (wasHeld) this.#port.holds(now, false);
  }

  #conflicted(now: number, records: readonly DnsRecord[]): void {
    const key = nameKey(this.name);
    const owner = records
      .filter(({ name }) => nameKey(name) === key)
      .map(nodeOf)
      .find((node) => node !== undefined);
    const { isMember, nodeName } = this.#options;
    if (owner !== undefined && owner !== nodeName && isMember(owner)) {
      const delayMs = this.isHeld ? YIELDED_MS : STANDBY_MS;
      this.#standBy(now, this.#isRightful ? RIGHTFUL_MS : delayMs);
    } else if (this.isHeld) {
      // A host that has the name as well objects to a probe.
      this.#withdraw(now);
      this.#begin(now);
    } else {
      const former = this.name;
      this.#attempt += 1;
      this.#stranger = owner ?? '';
      this.#isAnswered = false;
      this.#port.inUse(former, this.name);
      this.#begin(now);
    }
  }

  #held(now: number): void {
    this.#isAnswered = false;
    this.#port.holds(now, true);
  }

  #standBy(now: number, delayMs: number): void {
    this.#isAnswered = true;
    this.#standbyUntil = now + this.#jittered(delayMs);
    this.#withdraw(now);
  }

  #begin(now: number): void {
    this.#standbyUntil = Number.POSITIVE_INFINITY;
    this.#claim.begin(now, this.#wanted());
  }

  #take(now: number): void {
    this.#standbyUntil = Number.POSITIVE_INFINITY;
    this.#claim.take(now, this.#wanted());
  }

  #wanted(): readonly DnsRecord[] {
    const { label, nodeName } = this.#options;
    return siteRecords(label, nodeName, this.#addresses, this.#attempt);
  }

  /** Nodes on standby probe one after the other. */
  #jittered(ms: number): number {
    return ms * (1 + this.#options.random());
  }
}
