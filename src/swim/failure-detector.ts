// The failure detector: probes members, one protocol period after the other. It knows members only by
// their acks; what a missing ack means for the member table is decided by Membership. Invariant: a
// period in which this node itself was late accuses no member.
// Sources: SWIM paper 3.1 and 4.3; Lifeguard 4.1 (nack, local health).
//
//   0              ping the next member, and each one that missed a direct ack in its last period
//   pingTimeout    no ack: ping again, and ask INDIRECT_PINGS others to ping (ping-req)
//   2 pingTimeout  no ack: ping a third time, against loss where there are no others to ask
//   T              no ack: a strike; the next period begins

import type { LocalHealth } from './local-health.ts';
import type { Member, MemberTable } from './member-table.ts';
import type { Membership } from './membership.ts';
import type { MessageSender } from './message-sender.ts';
import { isOnline } from './record.ts';
import { STRIKE_WITHOUT_NACK, type Timing } from './timing.ts';

/** Members that are asked to ping a member that does not ack: SWIM's k. */
const INDIRECT_PINGS = 3;
/** Members probed in one period besides the next one; bounds the load when half the nodes die. */
const EXTRA_PROBES_MAX = 32;
const PINGS_PER_PERIOD = 3;

interface Probe {
  readonly member: Member;
  readonly bootId: bigint;
  readonly sequence: number;
  isAcked: boolean;
  isAckedDirectly: boolean;
  helpers: number;
  nacks: number;
}

export class FailureDetector {
  /** Periods that accused no member because this node was late. */
  voidRounds = 0;
  readonly #table: MemberTable;
  readonly #membership: Membership;
  readonly #sender: MessageSender;
  readonly #localHealth: LocalHealth;
  readonly #timing: Timing;
  readonly #selfName: string;
  #probes: Probe[] = [];
  /** Pings that each unacked probe has sent in this period. */
  #pings = PINGS_PER_PERIOD;
  #startedAt: number;
  #stretch = 1;
  #dueAt: number;

  constructor(
    parts: {
      table: MemberTable;
      membership: Membership;
      sender: MessageSender;
      localHealth: LocalHealth;
    },
    timing: Timing,
    selfName: string,
    firstPeriodAt: number,
  ) {
    this.#selfName = selfName;
    this.#table = parts.table;
    this.#membership = parts.membership;
    this.#sender = parts.sender;
    this.#localHealth = parts.localHealth;
    this.#timing = timing;
    this.#startedAt = firstPeriodAt;
    this.#dueAt = firstPeriodAt;
  }

  get deadline(): number {
    return this.#dueAt;
  }

  advance(now: number): void {
    if (now < this.#dueAt) return;
    const lateMs = now - this.#dueAt;
    if (lateMs > (this.#stretch * this.#timing.pingTimeoutMs) / 2) {
      this.#voidPeriod(lateMs);
      this.#beginPeriod(now);
    } else if (this.#pings < PINGS_PER_PERIOD) {
      this.#pingAgain(now);
    } else {
      this.#concludePeriod(now);
      this.#beginPeriod(now);
    }
    this.#dueAt = this.#startedAt + this.#stretch * this.#nextStepMs();
  }

  /** @param bootId of the acking member; of an indirect ack, that of the helper */
  handleAck(now: number, sequence: number, bootId: bigint, isIndirect: boolean): void {
    const probe = this.#probes.find((one) => one.sequence === sequence);
    if (probe === undefined) return;
    if (!isIndirect && probe.bootId !== bootId) return;
    if (probe.member.bootId !== probe.bootId) return;
    if (!probe.isAcked) this.#localHealth.improve();
    probe.isAcked = true;
    if (!isIndirect && !probe.isAckedDirectly) this.#ackedDirectly(now, probe);
    this.#membership.acked(now, probe.member);
  }

  #ackedDirectly(now: number, probe: Probe): void {
    const { member } = probe;
    probe.isAckedDirectly = true;
    member.directMisses = 0;
    // After a second ping it is unknown which one was acked (Karn's algorithm).
    if (this.#pings > 1) return;
    const rttMs = now - this.#startedAt;
    member.rttMs = member.rttMs === undefined ? rttMs : member.rttMs + (rttMs - member.rttMs) / 8;
  }

  handleNack(sequence: number): void {
    const probe = this.#probes.find((one) => one.sequence === sequence);
    if (probe !== undefined) probe.nacks += 1;
  }

  #beginPeriod(now: number): void {
    this.#startedAt = now;
    this.#stretch = this.#localHealth.stretch;
    this.#pings = 1;
    const targets = new Set<Member>();
    const next = this.#table.nextProbeTarget(this.#selfName);
    if (next !== undefined) targets.add(next);
    for (const member of this.#table.suspects) {
      if (targets.size > EXTRA_PROBES_MAX) break;
      if (member.strikes > 0) targets.add(member);
    }
    for (const member of this.#table.online) {
      if (targets.size > EXTRA_PROBES_MAX) break;
      if (member.directMisses > 0) targets.add(member);
    }
    this.#probes = [...targets].map((member) => ({
      member,
      bootId: member.bootId,
      sequence: this.#sender.nextSequence(),
      isAcked: false,
      isAckedDirectly: false,
      helpers: 0,
      nacks: 0,
    }));
    for (const probe of this.#probes) this.#sender.pingMember(now, probe.member, probe.sequence);
  }

  #pingAgain(now: number): void {
    for (const probe of this.#unacked()) {
      this.#sender.pingMember(now, probe.member, probe.sequence);
      if (this.#pings > 1) continue;
      const helpers = this.#table.randomOnline(INDIRECT_PINGS, (one) => canHelp(one, probe.member));
      probe.helpers = helpers.length;
      for (const helper of helpers) {
        this.#sender.pingRequest(now, helper, probe.member, probe.sequence);
      }
    }
    this.#pings += 1;
  }

  #concludePeriod(now: number): void {
    for (const { member, isAckedDirectly, nacks } of this.#probes) {
      if (isAckedDirectly) continue;
      if (member.directMisses === 0) member.missesSince = this.#startedAt;
      member.directMisses += 1;
      member.isNacked = nacks > 0;
    }
    let mayBeOurFault = false;
    for (const probe of this.#unacked()) {
      const isWithoutNack = probe.helpers > 0 && probe.nacks === 0;
      mayBeOurFault ||= isWithoutNack;
      this.#membership.strike(now, probe.member, isWithoutNack ? STRIKE_WITHOUT_NACK : 1);
    }
    if (mayBeOurFault) this.#localHealth.worsen();
  }

  #unacked(): Probe[] {
    return this.#probes.filter(
      ({ isAcked, member, bootId }) =>
        !isAcked && member.bootId === bootId && isOnline(member.state),
    );
  }

  #nextStepMs(): number {
    const { periodMs, pingTimeoutMs } = this.#timing;
    return this.#pings < PINGS_PER_PERIOD ? this.#pings * pingTimeoutMs : periodMs;
  }

  #voidPeriod(lateMs: number): void {
    this.#membership.extendSuspicions(lateMs);
    this.voidRounds += 1;
    this.#localHealth.worsen();
  }
}

/** A member that does not ack our own pings can't be expected to help. */
function canHelp(helper: Member, target: Member): boolean {
  return helper !== target && helper.state === 'alive' && helper.strikes === 0;
}
