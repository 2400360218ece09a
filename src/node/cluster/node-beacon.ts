// When this node calls others by beacon (-beacon). Without -mbs, or with -beacon=on, from the start; with -mbs
// once another node is offline, or none answers at the start: then boxes may have got other addresses, and
// those of -mbs are out of date. From then on it goes on calling, because boxes that are still apart need an answer.

import type { Broker } from '../../broker/broker.ts';
import { type Config, mayUseBeacon, usesBeacon } from '../../config/config.ts';
import { GOSSIP_PORT } from '../../config/options-cluster.ts';
import { BeaconChannel, type BeaconView } from '../../net/cluster/beacon-channel.ts';
import type { Gossip } from '../../net/cluster/gossip.ts';
import type { Endpoint } from '../../shared/endpoint.ts';
import type { KeyRing } from '../../shared/key-ring.ts';
import type { Logger } from '../../shared/logger.ts';
import type { Peer } from '../../shared/peer.ts';

export interface NodeBeaconOptions {
  readonly config: Config;
  readonly bootId: bigint;
  readonly broker: Broker;
  readonly gossip: Gossip;
  readonly log: Logger;
  /** Those of now. */
  keys(): KeyRing;
}

export class NodeBeacon {
  readonly #options: NodeBeaconOptions;
  #channel: BeaconChannel | undefined;
  #peers: readonly Peer[] = [];

  constructor(options: NodeBeaconOptions) {
    this.#options = options;
    if (usesBeacon(options.config)) this.#open();
  }

  /** On which networks this node calls, and who else is there; undefined while it calls on none. */
  view(): BeaconView | undefined {
    return this.#channel?.view();
  }

  /** The wait for other nodes at the start is over. */
  joined(): void {
    if (this.#peers.length === 0) this.#callBesideSeeds();
  }

  /** Another node may be at an address that no node knows. */
  memberOffline(): void {
    this.#callBesideSeeds();
  }

  setOnline(peers: readonly Peer[]): void {
    this.#peers = peers;
    this.#channel?.setOnline(peers);
  }

  /** @param datagram that isBeacon() accepts */
  receive(datagram: Buffer, from: Endpoint): void {
    this.#channel?.receive(datagram, from);
  }

  rekey({ beacon }: KeyRing): void {
    this.#channel?.rekey(beacon);
  }

  close(): void {
    this.#channel?.close();
  }

  #callBesideSeeds(): void {
    const { config, log } = this.#options;
    if (this.#channel !== undefined || !mayUseBeacon(config)) return;
    log.info('a node is missing: this one calls on its networks, beside -mbs (-beacon)');
    this.#open();
  }

  #open(): void {
    const { config, bootId, gossip, broker, log, keys } = this.#options;
    const channel = new BeaconChannel({
      bootId,
      keys: keys().beacon,
      gossip,
      bind: config.bindAddress,
      defaultPort: GOSSIP_PORT,
      clientAddresses: config.clientAddresses.map(({ address }) => address),
      log,
    });
    channel.setOnline(this.#peers);
    broker.sys.addSource('beacon', () => channel.metrics());
    this.#channel = channel;
  }
}
