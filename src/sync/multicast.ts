// One send for all peers on a network: data through the multicast group of the cluster (-sync=multicast).
// Each network with two peers or more is asked by hellos through the group; a peer whose welcome echoes the
// nonce of a recent one is reached, and gets data through the group while another peer there does, too. All
// others get the same bytes by unicast. A receiver sees no difference. docs/protocol.md, "Multicast".
// Invariant: nothing but hellos and data goes through the group, so only senders decide who listens to it.

import { ENVELOPE_HEADER_BYTES, ENVELOPE_TAG_BYTES, type Sealer } from '../shared/envelope.ts';
import { helloBytesOf, nonceOf, writeHello } from './body-codec.ts';
import type { ChannelCounters } from './counters.ts';
import { GROUP_DOUBT_MS, GROUP_HELLO_MS, HELLO_FIRST_MS } from './limits.ts';
import type { LinkLog } from './link-log.ts';
import type { GroupOutbox } from './outbox.ts';
import type { PeerLink } from './peer-link.ts';

export interface MulticastPort {
  readonly group: GroupOutbox;
  readonly sealer: Sealer;
  readonly log: LinkLog;
  readonly counters: ChannelCounters;
  /** Size of a full data datagram now. */
  datagramBytes(): number;
  /** @returns NONCE_BYTES unpredictable bytes */
  randomNonce(): Buffer;
}

interface SentHello {
  readonly nonce: Buffer;
  readonly at: number;
}

/** A network of this machine, and the peers that the group may reach there. */
interface Network {
  readonly name: string;
  links: PeerLink[];
  /** The last ones, oldest first. */
  readonly hellos: SentHello[];
  /** When the next one leaves. */
  helloAt: number;
  helloDelayMs: number;
}

/** For a single peer, unicast costs the same and is more reliable on Wi-Fi. */
const PEERS_MIN = 2;
/** Hellos whose answers count: a busy peer answers late. */
const HELLOS_MAX = 8;

export class Multicast {
  readonly #port: MulticastPort;
  #links: readonly PeerLink[] = [];
  #networks = new Map<string, Network>();
  /** Those on which data goes through the group. */
  #used: readonly Network[] = [];
  /** Datagrams of this size must have been found to arrive. */
  #bytes = 0;
  /** When an answer may be overdue. */
  #doubtAt = Number.POSITIVE_INFINITY;

  constructor(port: MulticastPort) {
    this.#port = port;
  }

  /** When advance() is due, ms. */
  get deadline(): number {
    let deadline = this.#doubtAt;
    for (const network of this.#networks.values()) {
      if (isAsked(network)) deadline = Math.min(deadline, network.helloAt);
    }
    return deadline;
  }

  /** @param links of all peers that are online */
  setPeers(links: readonly PeerLink[], now: number): void {
    this.#links = links;
    const networks = new Map<string, Network>();
    for (const link of links) {
      const { reach, peer } = link;
      const name = this.#port.group.networkOf(peer.endpoint);
      const isNew = reach.moveTo(name);
      if (name === undefined) {
        if (isNew) this.#port.log.groupUnusable(peer);
        continue;
      }
      const network = networks.get(name) ?? this.#networkOf(name, now);
      networks.set(name, network);
      network.links.push(link);
      if (isNew) hurry(network, now);
    }
    this.#networks = networks;
    this.#choose(now);
  }

  /**
   * Sends a data datagram through the group, on each network where that reaches peers. They have reach.isUsed.
   * @param asks it asks for an ack
   * @returns false if a socket still reads the bytes
   */
  send(datagram: Buffer, asks: boolean, now: number): boolean {
    if (this.#port.datagramBytes() !== this.#bytes) this.#choose(now);
    let isFree = true;
    for (const { name } of this.#used) {
      this.#port.counters.multicastDatagrams += 1;
      if (!this.#port.group.send(datagram, name)) isFree = false;
    }
    if (asks && this.#used.length > 0) {
      this.#doubtAt = Math.min(this.#doubtAt, now + GROUP_DOUBT_MS);
    }
    return isFree;
  }

  /** Handles a welcome if it answers a hello through the group. */
  handleWelcome(link: PeerLink, welcome: Buffer, now: number): void {
    const network = this.#networks.get(link.reach.network ?? '');
    if (network === undefined) return;
    const { hellos } = network;
    const index = hellos.findIndex(({ nonce }) => nonce.equals(nonceOf(welcome)));
    if (index < 0) return;
    const { reach, window } = link;
    const nextAt = hellos[index + 1]?.at ?? Number.POSITIVE_INFINITY;
    const hello = { bytes: helloBytesOf(welcome), sentAt: hellos[index]!.at, nextAt };
    const isFirst = reach.answered(hello, window, now);
    if (reach.isUsed || !reach.isProven(this.#port.datagramBytes(), now)) return;
    this.#port.log.groupReaches(link.peer, isFirst, now);
    this.#choose(now);
  }

  /** The link has handled an ack. */
  ackHandled(link: PeerLink, now: number): void {
    if (!link.reach.losesTooMuch(link.window, now)) return;
    link.counters.multicastFallbacks += 1;
    this.#port.log.groupMisses(link.peer, 'loses', now);
    this.#choose(now);
  }

  advance(now: number): void {
    if (now >= this.#doubtAt) this.#findOverdue(now);
    for (const network of this.#networks.values()) {
      if (now < network.helloAt || !isAsked(network)) continue;
      // Interfaces come and go.
      this.setPeers(this.#links, now);
      for (const one of this.#networks.values()) {
        if (now >= one.helloAt && isAsked(one)) this.#sendHello(one, now);
      }
      return;
    }
  }

  #networkOf(name: string, now: number): Network {
    const known = this.#networks.get(name);
    if (known !== undefined) known.links = [];
    return known ?? { name, links: [], hellos: [], helloAt: now, helloDelayMs: HELLO_FIRST_MS };
  }

  #sendHello(network: Network, now: number): void {
    const { group, sealer, log } = this.#port;
    network.helloAt = now + network.helloDelayMs;
    network.helloDelayMs = Math.min(network.helloDelayMs * 2, GROUP_HELLO_MS);
    const nonce = this.#port.randomNonce();
    if (network.hellos.push({ nonce, at: now }) > HELLOS_MAX) network.hellos.shift();
    const hello = Buffer.alloc(this.#port.datagramBytes());
    const end = hello.length - ENVELOPE_TAG_BYTES;
    writeHello(hello, ENVELOPE_HEADER_BYTES, end, nonce);
    for (const { reach, peer, heardAt, window } of network.links) {
      if (reach.missesHellos(window, heardAt, now)) log.groupMisses(peer, 'unanswered', now);
      reach.helloSent(window, now);
    }
    group.send(sealer.seal(hello, end), network.name);
    this.#doubtAt = Math.min(this.#doubtAt, now + GROUP_DOUBT_MS);
  }

  /** Peers that have not answered in time get unicast, and are asked anew. */
  #findOverdue(now: number): void {
    this.#doubtAt = Number.POSITIVE_INFINITY;
    let isFound = false;
    for (const network of this.#networks.values()) {
      for (const { reach, window, counters } of network.links) {
        const doubtAt = reach.doubtAt(window);
        if (doubtAt > now) {
          this.#doubtAt = Math.min(this.#doubtAt, doubtAt);
          continue;
        }
        if (reach.isUsed) counters.multicastFallbacks += 1;
        reach.doubted(now);
        hurry(network, now);
        isFound = true;
      }
    }
    if (isFound) this.#choose(now);
  }

  /** Chooses the peers that get data through the group. */
  #choose(now: number): void {
    const bytes = this.#port.datagramBytes();
    if (bytes > this.#bytes) for (const one of this.#networks.values()) hurry(one, now);
    this.#bytes = bytes;
    this.#used = [...this.#networks.values()].filter(({ links }) => {
      const reached = links.filter(
        ({ isAnswering, reach }) => isAnswering && reach.isProven(bytes, now),
      );
      const isUsed = reached.length >= PEERS_MIN;
      for (const { reach } of links) {
        if (!isUsed || !reach.isProven(bytes, now)) reach.isUsed = false;
      }
      if (!isUsed) return false;
      for (const { reach, window } of reached) if (!reach.isUsed) reach.used(window, now);
      return true;
    });
  }
}

function isAsked({ links }: Network): boolean {
  return links.length >= PEERS_MIN;
}

/** Asks at once, and then at short intervals. */
function hurry(network: Network, now: number): void {
  network.helloAt = now;
  network.helloDelayMs = HELLO_FIRST_MS;
}
