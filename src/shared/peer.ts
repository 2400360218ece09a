// A peer as membership describes it to the sync channel: a node to forward to and to accept from.

import type { Endpoint } from './endpoint.ts';

export interface Peer {
  /** The node's name (-nid). */
  readonly name: string;
  /** Proven by membership. Datagrams under another boot id are not this peer's. */
  readonly bootId: bigint;
  /** Where the peer's sync channel listens. */
  readonly endpoint: Endpoint;
}
