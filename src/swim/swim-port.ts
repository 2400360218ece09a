// What the core of membership needs and gives: the whole of its border to the adapter.

import type { Endpoint } from '../shared/endpoint.ts';
import type { LocalNodeOptions } from './local-node.ts';
import type { MemberEvent } from './membership.ts';
import type { Timing } from './timing.ts';

export interface SwimOptions {
  readonly self: LocalNodeOptions;
  readonly timing: Timing;
  /** Unpredictable, in [0, 1). */
  readonly random: () => number;
  /** Without any, nobody else can have the name yet. */
  readonly hasSeeds: boolean;
  /** Room for a body: the largest datagram without its envelope. */
  readonly bodyBytesMax: number;
}

export interface SwimPort {
  send(to: Endpoint, body: Buffer): void;
  /** Whether datagrams that are sent there come to this very socket. */
  isOurs(endpoint: Endpoint): boolean;
  /** Wanted: a call of contactSeeds with all addresses that are configured, resolved anew. */
  resolveSeeds(): void;
  memberChanged(event: MemberEvent): void;
  /** The list of online members, a boot or an address changed. */
  peersChanged(): void;
  /** Once: another node has accepted us under our name, or none answered for JOIN_MS. */
  joined(): void;
  /** Once: the name is another's; this node takes no part any more. */
  nameRefused(holder: Endpoint): void;
  /** Another node with our name has spoken to us, and must do without it. Often, while it tries. */
  nameKept(claimant: Endpoint): void;
}

export interface SwimCounters {
  malformed: number;
  replayed: number;
  unproven: number;
  own: number;
  challenges: number;
}
