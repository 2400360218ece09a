// What the gossip channel shows of the members and of itself.

import type { Endpoint } from '../../shared/endpoint.ts';
import type { EnvelopeFault } from '../../shared/envelope.ts';
import type { LocalNode } from '../../swim/local-node.ts';
import { endpointOf, type Member } from '../../swim/member-table.ts';
import { decodeMetadata, type Metadata } from '../../swim/metadata.ts';
import type { Reachability } from '../../swim/reachability.ts';
import type { MemberState } from '../../swim/record.ts';
import type { SwimCounters } from '../../swim/swim-port.ts';
import type { UdpCounters } from './udp.ts';

export interface MemberView {
  readonly name: string;
  readonly isSelf: boolean;
  readonly state: MemberState;
  /** How long it has been in this state; undefined for this node. */
  readonly stateAgeMs: number | undefined;
  readonly endpoint: Endpoint;
  readonly bootId: bigint;
  readonly incarnation: number;
  readonly metadata: Metadata;
  /** Time since its last ack, direct or indirect; undefined if there was none. */
  readonly sinceAnswerMs: number | undefined;
  /** Smoothed round trip time of direct pings; undefined before the first one. */
  readonly rttMs: number | undefined;
  /** Whether datagrams on the gossip port get through, by direction; undefined for this node. */
  readonly reachability: Reachability | undefined;
}

export interface GossipCounters extends UdpCounters, SwimCounters, Record<EnvelopeFault, number> {
  /** Periods that accused no member because this node was late. */
  voidRounds: number;
  /** 0 = healthy, 7 = short of CPU or cut off. */
  healthScore: number;
  /** Records of new members that found the table full. */
  tableFull: number;
  /** Datagrams longer than any of the protocol. */
  tooLong: number;
  /** Lookups of host names in -mbs that failed. */
  seedFailures: number;
  /** Refusals of the system to list the addresses of this machine. */
  addressFailures: number;
  /** Directions to or from other nodes that fail at present. */
  linkFaults: number;
}

/** @param local where the socket is bound, for a node that does not know its address yet */
export function ownView(
  { name, hasLeft, address, port, bootId, incarnation }: LocalNode,
  local: Endpoint,
  metadata: Metadata,
): MemberView {
  return {
    name,
    isSelf: true,
    state: hasLeft ? 'left' : 'alive',
    stateAgeMs: undefined,
    endpoint: { address: address ?? local.address, port },
    bootId,
    incarnation,
    metadata,
    sinceAnswerMs: undefined,
    rttMs: undefined,
    reachability: undefined,
  };
}

/** @param now monotonic, ms */
export function memberView(
  now: number,
  member: Member,
  reachability: Reachability | undefined,
): MemberView {
  const { name, state, stateSince, bootId, incarnation, lastAckAt, rttMs, metadata } = member;
  return {
    name,
    isSelf: false,
    state,
    stateAgeMs: Math.round(now - stateSince),
    endpoint: endpointOf(member),
    bootId,
    incarnation,
    metadata: decodeMetadata(metadata),
    sinceAnswerMs: lastAckAt === undefined ? undefined : Math.round(now - lastAckAt),
    rttMs,
    reachability,
  };
}
