// The border of the core of requests between nodes: what it needs, and what it counts.

/** Why a request has no reply. */
export type QueryFault =
  | 'offline' // the member is not online, or went offline
  | 'silent' // the member has sent no datagram for SILENT_MS
  | 'timeout' // the reply did not arrive in time
  | 'busy' // too many requests wait here for replies
  | 'refused' // the member works on too many requests
  | 'tooLarge'; // the request, or the announced reply, is larger than the limit

/** A request of another member. */
export interface ServedKey {
  /** Its boot id. */
  readonly member: bigint;
  readonly id: number;
}

export interface QueryPort {
  /** Sends a datagram to a member, without any guarantee. */
  send(member: bigint, message: Buffer): void;
  /** Smoothed round trip time of the member, ms; undefined if it is not known. */
  rttMs(member: bigint): number | undefined;
  /** The reply to a request of this node; the bytes belong to the port. */
  replied(id: number, reply: Buffer): void;
  failed(id: number, fault: QueryFault): void;
  /** A whole request of a member: QueryNode.reply() answers it, at once or later. */
  requested(key: ServedKey, request: Buffer): void;
  /** The member does not want the reply any more. */
  abandoned(key: ServedKey): void;
  /** A request of the member found no place. */
  refused(member: bigint): void;
}

export interface QueryCounters {
  /** Requests of this node. */
  asked: number;
  replied: number;
  failed: Record<QueryFault, number>;
  /** Requests of other nodes that this node has worked on. */
  served: number;
  /** Requests of other nodes that found no place. */
  refused: number;
  /** Replies that were never fetched whole. */
  abandoned: number;
  /** Parts that were sent again. */
  resentParts: number;
  malformed: number;
}

export function newQueryCounters(): QueryCounters {
  return {
    asked: 0,
    replied: 0,
    failed: { offline: 0, silent: 0, timeout: 0, busy: 0, refused: 0, tooLarge: 0 },
    served: 0,
    refused: 0,
    abandoned: 0,
    resentParts: 0,
    malformed: 0,
  };
}
