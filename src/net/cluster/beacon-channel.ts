// The beacon of a node: gives the core (src/discovery/beacon.ts) the networks of this machine, its keys,
// its timer and its sockets. Calls go out on each network; answers, and what is received, go by the
// gossip socket. Invariants: nothing throws; a beacon that can't be opened is counted and answered by
// nothing; the membership that it leads to is proved again by the handshake of the gossip.

import { performance } from 'node:perf_hooks';
import { Beacon } from '../../discovery/beacon.ts';
import { decodeBeacon, encodeBeacon } from '../../discovery/beacon-codec.ts';
import { DatagramLimit } from '../../discovery/datagram-limit.ts';
import type { ValuesOf } from '../../metrics/metric-list.ts';
import { type Endpoint, plainAddress } from '../../shared/endpoint.ts';
import type { BeaconKeys } from '../../shared/key-ring.ts';
import type { Logger } from '../../shared/logger.ts';
import { OngoingFaults } from '../../shared/ongoing-faults.ts';
import type { Peer } from '../../shared/peer.ts';
import { secureRandom } from '../../shared/random.ts';
import { BeaconReceiver } from './beacon-receiver.ts';
import { openBeacon, sealBeacon } from './beacon-seal.ts';
import { BeaconSender, GROUP_IPV4, GROUP_IPV6 } from './beacon-sender.ts';
import { type BeaconStranger, BeaconStrangers } from './beacon-strangers.ts';
import type { Gossip } from './gossip.ts';
import { LinkLocalLog } from './link-local-log.ts';
import { type HostLink, listLinks } from './links.ts';
import { specificAddress } from './local-addresses.ts';

export interface BeaconChannelOptions {
  readonly bootId: bigint;
  readonly keys: BeaconKeys;
  readonly gossip: Gossip;
  /** Of -bind. */
  readonly bind: string | undefined;
  /** Where a node listens that has the default ports. */
  readonly defaultPort: number;
  readonly log: Logger;
  /** An address that comes and goes (-address): nothing is called from it. */
  readonly clientAddresses: readonly string[];
  /** In place of the system's list, for tests. */
  readonly listLinks?: (bind: string | undefined) => readonly HostLink[];
}

export interface BeaconView {
  /** Addresses of this machine on whose networks it calls. */
  readonly addresses: readonly string[];
  readonly strangers: readonly BeaconStranger[];
  /** Of these addresses, on which nothing leaves at present. */
  readonly sendFaults: readonly { readonly address: string; readonly reason: string }[];
}

/** Opening a beacon costs some microseconds of decryption. */
const BEACON_RATES = { total: 500, ofSource: 40 };
/** From one look at the interfaces to the next. */
const LINKS_MS = 1000;
/** An interface that was made anew is in no group, although its address is the same. */
const JOIN_GROUPS_MS = 10_000;

export class BeaconChannel {
  readonly #options: BeaconChannelOptions;
  readonly #beacon: Beacon;
  readonly #bind: string | undefined;
  readonly #ports: readonly number[];
  readonly #limit = new DatagramLimit(BEACON_RATES);
  readonly #strangers: BeaconStrangers;
  readonly #faults = new OngoingFaults();
  readonly #linkLocal: LinkLocalLog;
  readonly #sendFaults = new Map<string, string>();
  readonly #senders = new Map<string, BeaconSender>();
  readonly #receivers = new Map<string, BeaconReceiver>();
  #keys: BeaconKeys;
  #online: readonly bigint[] = [];
  #timer: NodeJS.Timeout | undefined;
  readonly #dropped = { stranger: 0, malformed: 0, overRate: 0 };
  #sendErrors = 0;
  #joinGroupsAt = 0;
  #isClosed = false;

  constructor(options: BeaconChannelOptions) {
    const { bootId, gossip, keys, bind, log, defaultPort } = options;
    this.#options = options;
    this.#keys = keys;
    this.#bind = specificAddress(bind);
    this.#strangers = new BeaconStrangers(log);
    this.#linkLocal = new LinkLocalLog(log, 'beacons are not sent');
    const gossipPort = gossip.local.port;
    this.#ports = [...new Set([defaultPort, gossipPort])];
    this.#beacon = new Beacon(
      { bootId, gossipPort, random: secureRandom },
      {
        call: ({ address }, message) => {
          this.#senders
            .get(address)
            ?.send(sealBeacon(this.#keys, encodeBeacon(message)), this.#ports);
        },
        answer: (to, message) =>
          gossip.sendDatagram(sealBeacon(this.#keys, encodeBeacon(message)), to),
        found: (endpoint, boot) => gossip.contact(endpoint, boot),
        memberOf: (boot) => gossip.memberOf(boot),
        onlineBoots: () => this.#online,
      },
      performance.now(),
    );
    this.#advance();
  }

  /** @param datagram that isBeacon() accepts */
  receive(datagram: Buffer, from: Endpoint): void {
    if (this.#isClosed) return;
    const now = performance.now();
    const address = plainAddress(from.address);
    if (!this.#limit.admit(now, address)) {
      this.#dropped.overRate += 1;
      return;
    }
    const body = openBeacon(this.#keys, datagram);
    if (body === 'unknownKey') {
      this.#dropped.stranger += 1;
      this.#strangers.note(now, address);
      return;
    }
    const message = body === 'foreign' ? undefined : decodeBeacon(body);
    if (message === undefined) {
      this.#dropped.malformed += 1;
      return;
    }
    this.#strangers.noteFriend(now, address);
    this.#beacon.handle(now, { address, port: from.port }, message);
  }

  /** Takes the online members, without this node. */
  setOnline(peers: readonly Peer[]): void {
    this.#online = peers.map(({ bootId }) => bootId);
    this.#advance();
  }

  rekey(keys: BeaconKeys): void {
    this.#keys = keys;
    this.#beacon.callSoon(performance.now());
    this.#advance();
  }

  view(): BeaconView {
    const addresses = this.#beacon.links.map(({ address }) => address);
    const sendFaults = [...this.#sendFaults].map(([address, reason]) => ({ address, reason }));
    return { addresses, strangers: this.#strangers.all, sendFaults };
  }

  metrics(): ValuesOf<'beacon'> {
    const { replayed, misplaced, limited, ...counters } = this.#beacon.counters;
    const dropped = { ...this.#dropped, replayed, misplaced, limited };
    return {
      ...counters,
      links: this.#beacon.links.length,
      sendErrors: this.#sendErrors,
      dropped: Object.entries(dropped).map(([reason, value]) => ({ labels: { reason }, value })),
    };
  }

  /** May be called twice. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const one of [...this.#senders.values(), ...this.#receivers.values()]) one.close();
    this.#senders.clear();
    this.#receivers.clear();
  }

  #advance(): void {
    if (this.#isClosed) return;
    clearTimeout(this.#timer);
    const now = performance.now();
    this.#strangers.advance(now);
    this.#useLinks(now);
    this.#beacon.advance(now);
    const delayMs = Math.min(LINKS_MS, Math.max(0, Math.ceil(this.#beacon.deadline - now)));
    this.#timer = setTimeout(() => this.#advance(), delayMs);
    this.#timer.unref();
  }

  /** Interfaces come and go: a cable, a Wi-Fi, a new address by DHCP. */
  #useLinks(now: number): void {
    const { listLinks: list = listLinks } = this.#options;
    const { clientAddresses } = this.#options;
    const links = list(this.#bind).filter(({ address }) => !clientAddresses.includes(address));
    this.#linkLocal.review(links.length, now);
    const present = new Set(links.map(({ address }) => address));
    for (const [address, sender] of this.#senders) {
      if (present.has(address) && sender.isOpen) continue;
      sender.close();
      this.#receivers.get(address)?.close();
      this.#senders.delete(address);
      this.#receivers.delete(address);
      if (present.has(address)) continue;
      this.#faults.forget(address);
      this.#sendFaults.delete(address);
    }
    for (const link of links) {
      const isNew = !this.#senders.has(link.address);
      if (isNew) this.#open(link);
      if (this.#bind === undefined && (isNew || now >= this.#joinGroupsAt)) this.#joinGroup(link);
    }
    if (now >= this.#joinGroupsAt) this.#joinGroupsAt = now + JOIN_GROUPS_MS;
    this.#beacon.setLinks(now, links);
  }

  /** Broadcasts come without it: a refusal matters to none but an IPv6 network. */
  #joinGroup({ address, isIpv6, zone }: HostLink): void {
    const [group, through] = isIpv6 ? [GROUP_IPV6, `::%${zone}`] : [GROUP_IPV4, address];
    const reason = this.#options.gossip.joinGroup(group, through);
    if (reason !== undefined && isIpv6) {
      this.#warn(`receive ${address}`, 'beacons are not received', { address, reason });
    }
  }

  #open(link: HostLink): void {
    const { gossip } = this.#options;
    const { address } = link;
    this.#senders.set(address, new BeaconSender(link, (fault) => this.#sent(address, fault)));
    if (this.#bind === undefined) return;
    const receiver = new BeaconReceiver(
      link,
      gossip.local.port,
      (datagram, from) => this.receive(datagram, from),
      (reason) => this.#warn(`receive ${address}`, 'beacons are not received', { address, reason }),
    );
    this.#receivers.set(address, receiver);
  }

  #sent(address: string, reason: string | undefined): void {
    const now = performance.now();
    if (reason === undefined) {
      this.#sendFaults.delete(address);
      if (this.#faults.resolve(address, now) === undefined) return;
      this.#options.log.info('beacons are sent again', { address });
      return;
    }
    this.#sendErrors += 1;
    this.#sendFaults.set(address, reason);
    // Another socket is tried: an interface that was made anew does not know this one.
    this.#senders.get(address)?.close();
    this.#warn(address, 'beacons are not sent', { address, reason });
  }

  #warn(key: string, event: string, fields: { address: string; reason: string }): void {
    if (this.#faults.report(key, performance.now())) this.#options.log.warn(event, fields);
  }
}
