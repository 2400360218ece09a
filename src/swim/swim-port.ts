// The border of the membership core: the options that it takes and the port through which it
// acts. The adapter (src/net/cluster/gossip.ts) implements the port.

import type { Endpoint } from '../shared/endpoint.ts';
import type { LocalNodeOptions } from './local-node.ts';
import type { MemberEvent } from './membership.ts';
import type { Timing } from './timing.ts';

export interface SwimOptions {
  readonly self: LocalNodeOptions;
  readonly timing: Timing;
  /** Unpredictable, in [0, 1). */
  readonly random: () => number;
  /** The node joins alone when no other one has answered for this time; 0 where none can be found. */
  readonly joinMs: number;
  /** Size of the largest body: that of the largest datagram without its envelope. */
  readonly bodyBytesMax: number;
}

/** Another node that claims our name. */
export interface NameClaim {
  readonly endpoint: Endpoint;
  /** Undefined where only hearsay is known of it. */
  readonly metadata: Buffer | undefined;
}

export interface SwimPort {
  /** Takes over `body`. */
  send(to: Endpoint, body: Buffer): void;
  /** Whether a datagram sent to this endpoint comes back to this very socket. */
  isLocalEndpoint(endpoint: Endpoint): boolean;
  /** Asks for calls of contactSeeds() with all configured addresses, resolved anew. */
  resolveSeeds(): void;
  memberChanged(event: MemberEvent): void;
  /** The list of online members changed, or one of their boots or addresses. */
  peersChanged(): void;
  /** Once: another node has accepted our name, or no node answered for JOIN_MS. */
  joined(): void;
  /** Once: another node holds the name; this node takes no part in the cluster any more. */
  nameRefused(holder: NameClaim): void;
  /** Another node claims our name and will be refused. Called again each time that it tries. */
  nameDefended(claimant: NameClaim): void;
  /**
   * What pings and acks carry for the application, at most 64 bytes;
   * undefined for nothing. Left out where a message has no room for it.
   */
  applicationState?(): Buffer | undefined;
  /**
   * A validated member sent bytes of the application: its state with a ping or ack, or a message.
   * The bytes are a view that holds during the call only.
   */
  applicationReceived?(bootId: bigint, bytes: Buffer, isMessage: boolean): void;
}

export interface SwimCounters {
  /** Bodies that can't be decoded. */
  malformed: number;
  /** Datagrams whose counter was used before, or sent before the boot was validated. */
  replayed: number;
  /** Datagrams of a boot or address that is not validated yet. */
  unproven: number;
  /** Datagrams of this node that came back to it. */
  own: number;
  /** Challenges sent. Fewer than `unproven`: each datagram has one at most, and their rate is limited. */
  challenges: number;
}

export interface SwimFigures {
  /** Lifeguard's local health: 0 = healthy, 7 = short of CPU or cut off. */
  readonly healthScore: number;
  /** Rounds in which this node was late itself. */
  readonly voidRounds: number;
  /** Records that were refused because the member table was full. */
  readonly tableFull: number;
}

export function newSwimCounters(): SwimCounters {
  return { malformed: 0, replayed: 0, unproven: 0, own: 0, challenges: 0 };
}
