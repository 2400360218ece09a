// What the sync channel has to know of another node. Membership makes it, sync uses it.

import type { Endpoint } from './endpoint.ts';

export interface Peer {
  /** The node's name (-nid). */
  readonly name: string;
  /** Proven by membership: datagrams under any other boot id are not this peer's. */
  readonly bootId: bigint;
  /** Where the peer's sync channel listens. */
  readonly endpoint: Endpoint;
}
