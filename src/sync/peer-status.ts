// What a sync node says of one peer, for $SYS, metrics and the log. Reads only.

import type { Endpoint } from '../shared/endpoint.ts';
import type { PeerCounters } from './counters.ts';
import type { DirectionState, PeerLink } from './peer-link.ts';

export interface PeerStatus {
  readonly name: string;
  readonly counters: Readonly<PeerCounters>;
  /** False while the peer is offline; what follows is then from a peer without any traffic. */
  readonly isOnline: boolean;
  /** The peer has answered on the sync port, so its messages are accepted. */
  readonly isWelcome: boolean;
  readonly endpoint?: Endpoint;
  readonly incoming: DirectionState;
  readonly outgoing: DirectionState;
  readonly rttMs: number | undefined;
  /** Messages a second over the last heartbeat interval. */
  readonly sentPerSecond: number;
  readonly receivedPerSecond: number;
  /** Messages that are not confirmed though a confirmation is due; lost if the fault lasts. */
  readonly unconfirmed: number;
  /** How messages reach the peer. */
  readonly delivery: 'multicast' | 'unicast';
  /** Largest datagram that reaches the peer. */
  readonly datagramBytes: number;
}

/**
 * @param link undefined while the peer is offline
 * @param datagramBytes of a peer that is offline
 */
export function peerStatus(
  name: string,
  counters: Readonly<PeerCounters>,
  link: PeerLink | undefined,
  datagramBytes: number,
  now: number,
): PeerStatus {
  return {
    name,
    counters,
    isOnline: link !== undefined,
    isWelcome: link?.stream.isWelcome ?? false,
    ...(link && { endpoint: link.peer.endpoint }),
    incoming: link?.incoming ?? 'unknown',
    outgoing: link?.outgoing ?? 'unknown',
    rttMs: link?.rttMs,
    sentPerSecond: link?.sentPerSecond ?? 0,
    receivedPerSecond: link?.receivedPerSecond ?? 0,
    unconfirmed: link?.unconfirmed(now) ?? 0,
    delivery: link?.reach.isUsed ? 'multicast' : 'unicast',
    datagramBytes: link?.path.bytes ?? datagramBytes,
  };
}
