// Data datagrams for peers that are online and have not answered a hello yet. The last ones follow as soon as
// a peer answers, so that it misses nothing during the first exchange. Knows nothing of hellos and messages.
// Invariant: at most HELD_DATAGRAMS_MAX datagrams are held, which take HELD_BYTES_MAX of a peer's receive
// buffer, in the order in which they left.

import { kernelBytes } from './ack-codec.ts';
import { HELD_BYTES_MAX, HELD_DATAGRAMS_MAX, JOIN_WAIT_MS } from './limits.ts';
import type { PeerLink } from './peer-link.ts';

interface HeldDatagram {
  readonly at: number;
  readonly sequence: number;
  /** Packets that begin in it. */
  readonly packets: number;
  readonly datagram: Buffer;
  /** The only peer that it is for; undefined for all. */
  readonly link: PeerLink | undefined;
}

export class HeldDatagrams {
  readonly #held: HeldDatagram[] = [];
  /** In a peer's receive buffer. */
  #bytes = 0;

  /**
   * @param datagram copied
   * @param link the only peer that it is for; undefined for all
   */
  hold(at: number, sequence: number, packets: number, datagram: Buffer, link?: PeerLink): void {
    this.#bytes += kernelBytes(datagram.length);
    while (this.#held.length >= HELD_DATAGRAMS_MAX || this.#bytes > HELD_BYTES_MAX) {
      this.#bytes -= kernelBytes(this.#held.shift()!.datagram.length);
    }
    this.#held.push({ at, sequence, packets, datagram: Buffer.from(datagram), link });
  }

  /** The datagrams that a link has missed, oldest first, without those that are too old. */
  *of(link: PeerLink, now: number): Generator<HeldDatagram> {
    for (const held of this.#held) {
      if (held.link !== undefined && held.link !== link) continue;
      if (held.sequence < link.heldFrom.sequence || now - held.at > JOIN_WAIT_MS) continue;
      yield held;
    }
  }
}
