// In which direction datagrams between this node and a member get through. A firewall blocks one
// direction of one port: then a member that acks nothing still speaks, or a member that other nodes
// reach is not heard. Knows nothing of ports and firewalls; judges only the evidence in the table.
// Invariant: silence alone is no evidence, because a member that died is silent too.

import type { Link, Member } from './member-table.ts';
import { STRIKES_TO_OFFLINE } from './timing.ts';

export type LinkState = 'ok' | 'failing' | 'unknown';

export interface Reachability {
  /** From this node to the member: it hears us. */
  readonly outgoing: LinkState;
  /** From the member to this node: we hear it. */
  readonly incoming: LinkState;
}

/** Periods in a row without a direct ack of an online member; 20 % loss never leads to that number. */
const DIRECT_MISSES_MAX = 5;
/** A member that speaks while it is offline here, and hears our acks, refutes at once. */
const UNREFUTED_PERIODS_MAX = 2;
const UNREFUTED_DATAGRAMS_MAX = 3;
/** An offline member that was silent for longer may be switched off by now. */
const SILENCE_PERIODS = 30;

const UNKNOWN: Reachability = { outgoing: 'unknown', incoming: 'unknown' };

export function reachabilityOf(now: number, member: Member, periodMs: number): Reachability {
  const { link, state } = member;
  if (link === undefined || state === 'left') return UNKNOWN;
  return state === 'offline'
    ? ofOffline(now, link, member, periodMs)
    : ofOnline(now, link, member, periodMs);
}

function ofOnline(now: number, link: Link, member: Member, periodMs: number): Reachability {
  const { directMisses, strikes, rttMs } = member;
  if (directMisses < DIRECT_MISSES_MAX) {
    return { outgoing: rttMs === undefined ? 'unknown' : 'ok', incoming: 'ok' };
  }
  const isHeard = now - link.heardAt < DIRECT_MISSES_MAX * periodMs;
  if (isHeard) return { outgoing: 'failing', incoming: 'ok' };
  // No strikes: the others reach it, and passed on its acks.
  return { outgoing: 'unknown', incoming: strikes === 0 ? 'failing' : 'unknown' };
}

function ofOffline(now: number, link: Link, member: Member, periodMs: number): Reachability {
  const { directMisses, heardSinceOffline, heardOfflineAt, isUnheard } = member;
  if (now - link.heardAt > SILENCE_PERIODS * periodMs) return UNKNOWN;
  if (isUnheard) return { outgoing: 'failing', incoming: 'ok' };
  if (heardSinceOffline === 0) return UNKNOWN;
  const isLong = now - heardOfflineAt >= UNREFUTED_PERIODS_MAX * periodMs;
  const isOften =
    directMisses >= STRIKES_TO_OFFLINE || heardSinceOffline >= UNREFUTED_DATAGRAMS_MAX;
  return { outgoing: isLong && isOften ? 'failing' : 'unknown', incoming: 'ok' };
}
