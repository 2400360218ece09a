// What one node says of another: SWIM's update, and which of two updates about the same name
// counts. Knows nothing of time or of the wire. Invariant: merging is by incarnation first, so
// that a record once superseded never comes back. Source: SWIM paper 4.2.

export type MemberState = 'alive' | 'suspect' | 'offline' | 'left';

/** Goes with a record unless sender and receiver both know the member already. */
export interface RecordDetail {
  /** undefined: use the address that the datagram came from (only in a record about its sender). */
  readonly address: string | undefined;
  readonly port: number;
  /** Set by -advertise: use the address as it stands, whatever the datagrams' source is. */
  readonly isAdvertised: boolean;
  /** Opaque here, so that a field unknown to us is still passed on; see metadata.ts. */
  readonly metadata: Buffer;
  /** In its own record: how long it has had its name, 0 = not yet accepted. Of one that is gone: since when. Else 0. */
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
export const INCARNATION_MAX = 0xffffffff;

const RANK: Readonly<Record<MemberState, number>> = { alive: 0, suspect: 1, offline: 2, left: 3 };

export function isOnline(state: MemberState): boolean {
  return state === 'alive' || state === 'suspect';
}

/**
 * Whether `news` replaces what is held about the same boot of the same name: a higher incarnation
 * always, the graver state at the same one.
 */
export function supersedes(
  news: { readonly incarnation: number; readonly state: MemberState },
  held: { readonly incarnation: number; readonly state: MemberState },
): boolean {
  if (news.incarnation !== held.incarnation) return news.incarnation > held.incarnation;
  return RANK[news.state] > RANK[held.state];
}
