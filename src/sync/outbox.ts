// What the sync core needs of the network: a way out for datagrams that says when it is full.

import type { Endpoint } from '../shared/endpoint.ts';

/** The network as the core sees it. */
export interface SyncOutbox {
  /** @returns false if the socket still reads the bytes: the core then never writes to that buffer again */
  send(datagram: Buffer, to: Endpoint): boolean;
  /** False while datagrams wait in the socket. Call flush() when it is true again. */
  isReady(): boolean;
}
