// Acks: how a sender learns what its peers have taken, so that it never fills their sockets. Knows nothing
// of messages. The sender marks the datagrams that ask for an ack; a receiver sends no ack unasked, so that
// peers of a version without acks, and quiet clusters, have none.
// Invariants: an ack goes only to a peer that has proven its address; the windows of all senders together
// fit into the receive buffer.

import {
  ENVELOPE_BYTES,
  ENVELOPE_HEADER_BYTES,
  ENVELOPE_TAG_BYTES,
  type Sealer,
} from '../shared/envelope.ts';
import { ACK_BYTES, readAck, writeAck } from './ack-codec.ts';
import { writeAsksForAck } from './body-codec.ts';
import { GRANTED_SHARE, SENDING_MS } from './limits.ts';
import type { SyncOutbox } from './outbox.ts';
import type { OutgoingDatagram } from './packer.ts';
import type { PeerLink } from './peer-link.ts';

export interface AckPort {
  readonly bootId: bigint;
  readonly sealer: Sealer;
  readonly outbox: SyncOutbox;
  /** Of the socket, bytes of kernel memory. */
  readonly receiveBufferBytes: number;
}

export class AckExchange {
  readonly #port: AckPort;
  /** When each peer last asked for an ack. */
  readonly #askedAt = new WeakMap<PeerLink, number>();

  constructor(port: AckPort) {
    this.#port = port;
  }

  /**
   * Makes a datagram that is about to leave ask for an ack if a window of these peers wants one, and
   * records it in their windows. Call it before the datagram is sealed.
   * @param now of the last turn
   * @returns true if it asks
   */
  record(
    links: readonly PeerLink[],
    sequence: number,
    { buffer, end }: OutgoingDatagram,
    now: number,
  ): boolean {
    const bytes = end + ENVELOPE_TAG_BYTES;
    let asks = false;
    for (const { isAnswering, window } of links) {
      if (isAnswering && window.wantsAck(bytes, now)) asks = true;
    }
    writeAsksForAck(buffer, ENVELOPE_HEADER_BYTES, asks);
    for (const link of links) {
      if (!link.isAnswering) continue;
      link.window.sent(sequence, bytes, asks, now);
      if (asks) link.checkPath(now);
    }
    return asks;
  }

  /** Answers a data datagram that asks. @param links of all peers that are online */
  acknowledge(link: PeerLink, sequence: number, links: readonly PeerLink[], now: number): void {
    if (!link.isAnswering) return;
    this.#askedAt.set(link, now);
    const datagram = Buffer.allocUnsafe(ENVELOPE_BYTES + ACK_BYTES);
    const end = writeAck(datagram, ENVELOPE_HEADER_BYTES, {
      receiverBootId: link.peer.bootId,
      sequence,
      lostDatagrams: link.stream.report.lostDatagrams,
      windowBytes: this.#shareOf(links, now),
    });
    this.#port.outbox.send(this.#port.sealer.seal(datagram, end), link.peer.endpoint);
  }

  /** @returns false if the ack is for the process that ran at this address before */
  handleAck(link: PeerLink, body: Buffer, now: number): boolean {
    const ack = readAck(body);
    if (ack.receiverBootId !== this.#port.bootId) return false;
    link.handleAck(ack, now);
    return true;
  }

  /** The part of the receive buffer that each peer may fill that sends now. */
  #shareOf(links: readonly PeerLink[], now: number): number {
    let sending = 0;
    for (const link of links) {
      if (now - (this.#askedAt.get(link) ?? Number.NEGATIVE_INFINITY) < SENDING_MS) sending += 1;
    }
    return Math.floor((this.#port.receiveBufferBytes * GRANTED_SHARE) / Math.max(1, sending));
  }
}
