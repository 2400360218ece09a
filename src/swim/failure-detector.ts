// The failure detector: one round each protocol period. Knows members only by their answers; what a
// missing answer means for the table is Membership's. Invariant: a round in which this node itself
// was late accuses nobody. Sources: SWIM paper 3.1, 4.3; Lifeguard 4.1 (nack, local health).
//
//   0              ping the member whose turn it is, and every suspect with strikes of ours
//   pingTimeout    no ack: ping again, and ask 3 others to ping
//   2 pingTimeout  no ack: ping a third time (against loss where there are no others)
//   T              verdict, next round

import type { LocalHealth } from './local-health.ts';
import type { Member, MemberTable } from './member-table.ts';
import type { Membership } from './membership.ts';
import type { MessageSender } from './message-sender.ts';
import { isOnline } from './record.ts';
import { STRIKE_WITHOUT_NACK, type Timing } from './timing.ts';

const HELPERS = 3;
/** Suspects pinged beside it in one round, against floods when half the cluster is gone. */
const EXTRA_PROBES_MAX = 32;
const PINGS_PER_ROUND = 3;

interface Probe {
  readonly member: Member;
  readonly bootId: bigint;
  readonly sequence: number;
  isAnswered: boolean;
  helpers: number;
  nacks: number;
}

export class FailureDetector {
  /** Rounds in which this node was late. */
  voidRounds = 0;
  readonly #table: MemberTable;
  readonly #membership: Membership;
  readonly #outbox: MessageSender;
  readonly #health: LocalHealth;
  readonly #timing: Timing;
  readonly #selfName: string;
  #probes: Probe[] = [];
  /** Pings sent so far in this round to whoever does not answer. */
  #step = PINGS_PER_ROUND;
  #startedAt: number;
  #stretch = 1;
  #dueAt: number;

  constructor(
    parts: {
      table: MemberTable;
      membership: Membership;
      outbox: MessageSender;
      health: LocalHealth;
    },
    timing: Timing,
    selfName: string,
    firstRoundAt: number,
  ) {
    this.#selfName = selfName;
    this.#table = parts.table;
    this.#membership = parts.membership;
    this.#outbox = parts.outbox;
    this.#health = parts.health;
    this.#timing = timing;
    this.#startedAt = firstRoundAt;
    this.#dueAt = firstRoundAt;
  }

  get deadline(): number {
    return this.#dueAt;
  }

  advance(now: number): void {
    if (now < this.#dueAt) return;
    const lateMs = now - this.#dueAt;
    if (lateMs > (this.#stretch * this.#timing.pingTimeoutMs) / 2) {
      this.#abandon(lateMs);
      this.#begin(now);
    } else if (this.#step < PINGS_PER_ROUND) {
      this.#pingAgain(now);
    } else {
      this.#judge(now);
      this.#begin(now);
    }
    this.#dueAt = this.#startedAt + this.#stretch * this.#nextStepMs();
  }

  /** @param bootId of the member that is said to live */
  handleAck(now: number, sequence: number, bootId: bigint, isRelayed: boolean): void {
    const probe = this.#probes.find((one) => one.sequence === sequence);
    if (probe === undefined) return;
    if (!isRelayed && probe.bootId !== bootId) return;
    if (probe.member.bootId !== probe.bootId) return;
    if (!probe.isAnswered) this.#health.improve();
    probe.isAnswered = true;
    this.#membership.answered(now, probe.member);
  }

  handleNack(sequence: number): void {
    const probe = this.#probes.find((one) => one.sequence === sequence);
    if (probe !== undefined) probe.nacks += 1;
  }

  #begin(now: number): void {
    this.#startedAt = now;
    this.#stretch = this.#health.stretch;
    this.#step = 1;
    const targets = new Set<Member>();
    const next = this.#table.nextInTurn(this.#selfName);
    if (next !== undefined) targets.add(next);
    for (const member of this.#table.suspects) {
      if (targets.size > EXTRA_PROBES_MAX) break;
      if (member.strikes > 0) targets.add(member);
    }
    this.#probes = [...targets].map((member) => ({
      member,
      bootId: member.bootId,
      sequence: this.#outbox.nextSequence(),
      isAnswered: false,
      helpers: 0,
      nacks: 0,
    }));
    for (const probe of this.#probes) this.#outbox.pingMember(now, probe.member, probe.sequence);
  }

  #pingAgain(now: number): void {
    for (const probe of this.#open()) {
      this.#outbox.pingMember(now, probe.member, probe.sequence);
      if (this.#step > 1) continue;
      const helpers = this.#table.randomOnline(HELPERS, (one) => isHelpful(one, probe.member));
      probe.helpers = helpers.length;
      for (const helper of helpers) {
        this.#outbox.pingRequest(now, helper, probe.member, probe.sequence);
      }
    }
    this.#step += 1;
  }

  #judge(now: number): void {
    let isDoubtful = false;
    for (const probe of this.#open()) {
      const isSilent = probe.helpers > 0 && probe.nacks === 0;
      isDoubtful ||= isSilent;
      this.#membership.strike(now, probe.member, isSilent ? STRIKE_WITHOUT_NACK : 1);
    }
    if (isDoubtful) this.#health.worsen();
  }

  #open(): Probe[] {
    return this.#probes.filter(
      ({ isAnswered, member, bootId }) =>
        !isAnswered && member.bootId === bootId && isOnline(member.state),
    );
  }

  #nextStepMs(): number {
    const { periodMs, pingTimeoutMs } = this.#timing;
    return this.#step < PINGS_PER_ROUND ? this.#step * pingTimeoutMs : periodMs;
  }

  #abandon(lateMs: number): void {
    this.#membership.extendSuspicions(lateMs);
    this.voidRounds += 1;
    this.#health.worsen();
  }
}

/** Who fails to answer us can't be expected to help. */
function isHelpful(helper: Member, target: Member): boolean {
  return helper !== target && helper.state === 'alive' && helper.strikes === 0;
}
