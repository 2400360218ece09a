// A member record is SWIM's update: what one node says of another. Decides which of two records
// about the same boot counts. Knows nothing of time or of the wire. Invariant: the incarnation
// decides first, so a record that was superseded never comes back. Source: SWIM paper 4.2.

import type { Endpoint } from '../shared/endpoint.ts';

export type MemberState = 'alive' | 'suspect' | 'offline' | 'left';

/** Part of a record that is left out when the receiver knows the member already. */
export interface RecordDetail {
  /** undefined, in a record about its sender only: use the source address of the datagram. */
  readonly address: string | undefined;
  readonly port: number;
  /** Set by -advertise: use this address, whatever source address the member's datagrams have. */
  readonly isAdvertised: boolean;
  /** Opaque here, so that fields of newer versions are passed on; see metadata.ts. */
  readonly metadata: Buffer;
  /**
   * In a node's own record: time since its name was accepted, 0 before. In the record of an offline
   * or left member: time since then. Otherwise 0.
   */
  readonly ageMs: number;
}

export interface MemberRecord {
  readonly name: string;
  readonly bootId: bigint;
  readonly incarnation: number;
  readonly state: MemberState;
  readonly detail: RecordDetail | undefined;
}

export const NAME_BYTES_MAX = 64;
export const METADATA_BYTES_MAX = 512;

/** Half of the space of incarnations. */
const HALF = 0x80000000;

const RANK: Readonly<Record<MemberState, number>> = { alive: 0, suspect: 1, offline: 2, left: 3 };

export function isOnline(state: MemberState): boolean {
  return state === 'alive' || state === 'suspect';
}

/** Where members that are online are, as far as the records say. */
export function onlineEndpoints(records: readonly MemberRecord[]): Endpoint[] {
  return records.flatMap(({ state, detail }) =>
    isOnline(state) && detail?.address !== undefined
      ? [{ address: detail.address, port: detail.port }]
      : [],
  );
}

/**
 * Serial number arithmetic (RFC 1982): each incarnation has a successor, so a node can refute whatever
 * others say of it, even 2^32 - 1.
 */
export function isNewerIncarnation(one: number, other: number): boolean {
  const distance = (one - other) >>> 0;
  return distance === HALF ? one > other : distance > 0 && distance < HALF;
}

/** The lowest incarnation that is newer. */
export function nextIncarnation(after: number): number {
  return (after + 1) >>> 0;
}

/**
 * Whether `news` replaces the record held about the same boot of the same name: a higher incarnation
 * always does, and at an equal one the graver state does.
 */
export function supersedes(
  news: { readonly incarnation: number; readonly state: MemberState },
  held: { readonly incarnation: number; readonly state: MemberState },
): boolean {
  if (news.incarnation !== held.incarnation) {
    return isNewerIncarnation(news.incarnation, held.incarnation);
  }
  return RANK[news.state] > RANK[held.state];
}
