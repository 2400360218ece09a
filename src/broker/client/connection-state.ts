// The states of a connection, and which may follow which.
//
//   from            to              when
//   waiting         authenticating  CONNECT arrived
//   authenticating  connected       the client is accepted, its session attached
//   connected       suspended       a packet waits for the store, for the next turn, or for its rate
//   suspended       connected       the packet is handled
//   each but closed closed          either side ends the connection
//
// While `authenticating` or `suspended` nothing is handled but a lone PINGREQ: bytes are held.

export type ConnectionState = 'waiting' | 'authenticating' | 'connected' | 'suspended' | 'closed';

const FOLLOWERS: Readonly<Record<ConnectionState, readonly ConnectionState[]>> = {
  waiting: ['authenticating', 'closed'],
  authenticating: ['connected', 'closed'],
  connected: ['suspended', 'closed'],
  suspended: ['connected', 'closed'],
  closed: [],
};

/** @throws Error for a transition that the table above does not have: a fault of the broker */
export function checkTransition(from: ConnectionState, to: ConnectionState): void {
  if (!FOLLOWERS[from].includes(to))
    throw new Error(`a connection cannot go from ${from} to ${to}`);
}
