// Hellos and welcomes: how two nodes find out that their datagrams reach each other, and where a stream
// begins. Knows nothing of messages. Decides which peers get data: only one that has echoed, in its
// welcome, the nonce of a hello to its present address. Otherwise one node with the token could direct
// the traffic of all others at a bystander. Source: RFC 9000 section 8; docs/protocol.md.

import {
  ENVELOPE_BYTES,
  ENVELOPE_HEADER_BYTES,
  ENVELOPE_TAG_BYTES,
  type Opened,
  type Sealer,
} from '../shared/envelope.ts';
import type { Peer } from '../shared/peer.ts';
import {
  bodyKind,
  helloBytesOf,
  nonceOf,
  type StreamPosition,
  startOf,
  WELCOME_BYTES,
  writeHello,
  writeWelcome,
} from './body-codec.ts';
import type { HeldDatagrams } from './held-datagrams.ts';
import {
  HELLO_FIRST_MS,
  HELLO_LONGEST_MS,
  HELLOS_FIRST,
  HELLOS_FIRST_PER_SECOND,
  HELLOS_LATER_PER_SECOND,
  INCOMING_DOUBT_MS,
} from './limits.ts';
import type { SyncOutbox } from './outbox.ts';
import type { PeerLink } from './peer-link.ts';

const SECOND_MS = 1000;

export interface HelloPort {
  readonly sealer: Sealer;
  readonly outbox: SyncOutbox;
  readonly held: HeldDatagrams;
  /** @returns NONCE_BYTES unpredictable bytes */
  randomNonce(): Buffer;
  /** Position of the next data datagram to the peer. */
  nextPosition(link: PeerLink): StreamPosition;
}

export class HelloExchange {
  readonly #port: HelloPort;
  #secondAt = Number.NEGATIVE_INFINITY;
  /** Hellos in this second to peers that have never answered: their first ones, and later ones. */
  #first = 0;
  #later = 0;

  constructor(port: HelloPort) {
    this.#port = port;
  }

  /** The peer's record has changed. At another address it must answer anew. */
  moved(link: PeerLink, peer: Peer, now: number): void {
    const { address, port } = link.peer.endpoint;
    link.peer = peer;
    if (peer.endpoint.address === address && peer.endpoint.port === port) return;
    if (link.isAnswering) link.heldFrom = this.#port.nextPosition(link);
    link.isAnswering = false;
    link.stream.askAgain(this.#port.randomNonce(), now);
  }

  /** Sends hellos if they are due: several sizes if the first ones were not answered. */
  sendHellos(link: PeerLink, now: number): void {
    if (!link.stream.isHelloDue(now)) return;
    if (link.isAnswering || this.#takeShare(link.stream.hellosSent, now)) this.#send(link, now);
    else link.stream.postponeHello(now + HELLO_LONGEST_MS);
  }

  /** Answers a hello, and says hello as well, because the peer has just shown that it knows this node. */
  handleHello(link: PeerLink, hello: Buffer, bytes: number, now: number): void {
    this.#sendWelcome(link, hello, bytes);
    link.stream.expediteHello();
    if (link.stream.isHelloDue(now)) this.#send(link, now);
  }

  handleWelcome(link: PeerLink, welcome: Buffer, now: number): void {
    const { stream, path } = link;
    if (!nonceOf(welcome).equals(stream.nonce)) return;
    const sizeBefore = path.bytes;
    path.helloAnswered(helloBytesOf(welcome), now);
    link.noteSize(sizeBefore);
    if (!link.isAnswering) this.#release(link, now);
    if (!stream.isAsking) return;
    stream.welcome(startOf(welcome), now);
    link.expediteHeartbeat(now);
  }

  /**
   * Handles an authentic datagram whose counter was used before or is too old. Another node with the
   * token may have spoken in the peer's name with a counter far ahead, so that all that the peer itself
   * says looks old. Then a welcome with a nonce made after that begins the counters anew.
   * @returns true if the datagram counts
   */
  recovers(link: PeerLink, { body, counter }: Opened, bytes: number, now: number): boolean {
    const { stream } = link;
    if (!stream.isPast(counter) || now - link.heardAt < INCOMING_DOUBT_MS) return false;
    const kind = bodyKind(body);
    if (kind === 'welcome' && link.isRecovering && nonceOf(body).equals(stream.nonce)) {
      link.isRecovering = false;
      link.restart(counter);
      return true;
    }
    // The peer may be in the same position. Its known address is safe to answer to.
    if (kind === 'hello' && now - link.answeredOldAt >= HELLO_FIRST_MS) {
      link.answeredOldAt = now;
      this.#sendWelcome(link, body, bytes);
    }
    if (link.isRecovering) return false;
    link.isRecovering = true;
    stream.askAgain(this.#port.randomNonce(), now);
    return false;
  }

  #release(link: PeerLink, now: number): void {
    const { outbox, held, nextPosition } = this.#port;
    let missed = nextPosition(link).number - link.heldFrom.number;
    for (const { packets, datagram } of held.of(link, now)) {
      missed -= packets;
      link.countSent(packets, datagram.length);
      outbox.send(datagram, link.peer.endpoint);
    }
    link.answered(missed, now);
  }

  #takeShare(hellosSent: number, now: number): boolean {
    if (now - this.#secondAt >= SECOND_MS) {
      this.#secondAt = now;
      this.#first = 0;
      this.#later = 0;
    }
    if (hellosSent < HELLOS_FIRST) {
      this.#first += 1;
      return this.#first <= HELLOS_FIRST_PER_SECOND;
    }
    this.#later += 1;
    return this.#later <= HELLOS_LATER_PER_SECOND;
  }

  #send({ stream, path, peer }: PeerLink, now: number): void {
    const sizes = path.helloSizes(stream.hellosSent);
    stream.helloSent(now);
    for (const bytes of sizes) {
      const hello = Buffer.alloc(bytes);
      const end = hello.length - ENVELOPE_TAG_BYTES;
      writeHello(hello, ENVELOPE_HEADER_BYTES, end, stream.nonce);
      this.#port.outbox.send(this.#port.sealer.seal(hello, end), peer.endpoint);
    }
  }

  #sendWelcome({ stream, peer }: PeerLink, hello: Buffer, helloBytes: number): void {
    const welcome = Buffer.alloc(ENVELOPE_BYTES + WELCOME_BYTES);
    const nonce = nonceOf(hello);
    const at = ENVELOPE_HEADER_BYTES;
    const end = writeWelcome(welcome, at, nonce, helloBytes, stream.outgoingStart);
    this.#port.outbox.send(this.#port.sealer.seal(welcome, end), peer.endpoint);
  }
}
