// What the sync core needs of the network: a way out for datagrams that says when it is full, and with
// -sync=multicast another one, to all members of the cluster's multicast group on a network.

import type { Endpoint } from '../shared/endpoint.ts';

/** The network as the core sees it. */
export interface SyncOutbox {
  /** @returns false if the socket still reads the bytes: the core then never writes to that buffer again */
  send(datagram: Buffer, to: Endpoint): boolean;
  /** False while datagrams wait in the socket. Call flush() when it is true again. */
  isReady(): boolean;
}

/** The multicast group of the cluster. Its sockets are full when SyncOutbox says so. */
export interface GroupOutbox {
  /**
   * Where a datagram to the group may reach this endpoint.
   * @returns a name for the network of this machine and the port; undefined if the endpoint is behind a router
   */
  networkOf(endpoint: Endpoint): string | undefined;
  /** Sends to all members of the group there. @returns as SyncOutbox.send() */
  send(datagram: Buffer, network: string): boolean;
}
