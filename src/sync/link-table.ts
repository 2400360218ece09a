// The links of a sync node: one for each peer that is online, by boot id. Retains the stream positions of
// peers that are offline, and the counters of each peer name since the start. Sends nothing itself.
// Invariant: a peer that returns under its boot id continues its streams, so that no recording can be
// replayed to it or in its name.

import type { Peer } from '../shared/peer.ts';
import type { StreamPosition } from './body-codec.ts';
import { CountersByName, deleteOldest } from './counters.ts';
import { RETIRED_STREAMS_MAX } from './limits.ts';
import { type LinkPort, PeerLink, type RetiredLink } from './peer-link.ts';
import { type PeerStatus, peerStatus } from './peer-status.ts';
import type { SyncNodeOptions } from './sync-options.ts';

export interface LinkTableEvents {
  /** @returns where the stream to a new peer begins. @param outgoing where it ended before */
  startOf(outgoing: StreamPosition | undefined): StreamPosition;
  added(link: PeerLink, start: StreamPosition): void;
  /** The record of a peer has changed. */
  changed(link: PeerLink, peer: Peer, now: number): void;
  /** @returns where the stream to the peer goes on; undefined if all peers share one */
  removed(link: PeerLink): StreamPosition | undefined;
}

export class LinkTable {
  readonly #options: SyncNodeOptions;
  readonly #port: LinkPort;
  readonly #events: LinkTableEvents;
  #links = new Map<bigint, PeerLink>();
  #online: readonly PeerLink[] = [];
  readonly #retired = new Map<bigint, RetiredLink>();
  readonly #counters = new CountersByName();

  constructor(options: SyncNodeOptions, port: LinkPort, events: LinkTableEvents) {
    this.#options = options;
    this.#port = port;
    this.#events = events;
  }

  /** In the order of the list of peers. */
  get online(): readonly PeerLink[] {
    return this.#online;
  }

  get(bootId: bigint): PeerLink | undefined {
    return this.#links.get(bootId);
  }

  /** Replaces the list of peers that are online. */
  setPeers(peers: readonly Peer[], now: number): void {
    const links = new Map<bigint, PeerLink>();
    for (const peer of peers) {
      if (peer.bootId === this.#options.bootId) continue;
      const known = this.#links.get(peer.bootId);
      if (known !== undefined) this.#events.changed(known, peer, now);
      links.set(peer.bootId, known ?? this.#newLink(peer, now));
    }
    for (const [bootId, link] of this.#links) {
      if (!links.has(bootId)) this.#retire(bootId, link, now);
    }
    this.#links = links;
    this.#online = [...links.values()];
  }

  /** Every peer since the start of the process, online or not. */
  *statuses(now: number): Generator<PeerStatus> {
    const online = new Map(this.#online.map((link) => [link.peer.name, link]));
    const { datagramBytes } = this.#options;
    for (const [name, counters] of this.#counters) {
      yield peerStatus(name, counters, online.get(name), datagramBytes, now);
    }
  }

  #newLink(peer: Peer, now: number): PeerLink {
    const retired = this.#retired.get(peer.bootId);
    this.#retired.delete(peer.bootId);
    const start = this.#events.startOf(retired?.outgoing);
    const options = {
      counters: this.#counters.of(peer.name),
      nonce: this.#options.randomNonce(),
      outgoingStart: start,
      handler: this.#options.handler,
      datagramBytes: this.#datagramBytesTo(peer),
      now,
    };
    const link = new PeerLink(peer, options, retired, this.#port);
    this.#events.added(link, start);
    return link;
  }

  #retire(bootId: bigint, link: PeerLink, now: number): void {
    if (this.#retired.size >= RETIRED_STREAMS_MAX) deleteOldest(this.#retired);
    const retired = link.retire(now);
    const outgoing = this.#events.removed(link);
    this.#retired.set(bootId, outgoing === undefined ? retired : { ...retired, outgoing });
  }

  #datagramBytesTo({ endpoint }: Peer): number {
    const { datagramBytes, datagramBytesTo, receiveBufferBytes } = this.#options;
    const bytes = datagramBytesTo?.(endpoint.address, receiveBufferBytes) ?? datagramBytes;
    return Math.min(datagramBytes, bytes);
  }
}
