// Multicast DNS on one interface: a responder of the core, a socket for each of IPv4 and IPv6, and the log lines
// about them. Invariants: nothing throws; a datagram from elsewhere than the link of the interface is dropped
// before it is read; a socket that has failed is opened again at the next use().

import { DatagramLimit } from '../../discovery/datagram-limit.ts';
import { type DnsMessage, decodeDns, encodeDns } from '../../discovery/mdns/dns-codec.ts';
import {
  type LinkFacts,
  MDNS_PORT,
  Responder,
  type ResponderCounters,
} from '../../discovery/mdns/responder.ts';
import type { Endpoint } from '../../shared/endpoint.ts';
import { isSameNetwork } from '../../shared/ip-address.ts';
import { LogLimiter } from '../../shared/log-limiter.ts';
import type { Logger } from '../../shared/logger.ts';
import { OngoingFaults } from '../../shared/ongoing-faults.ts';
import { secureRandom } from '../../shared/random.ts';
import type { HostLink } from '../cluster/links.ts';
import { MdnsSocket } from './mdns-socket.ts';

/** Of all interfaces together. */
export interface MdnsCounters {
  readonly responder: ResponderCounters;
  readonly dropped: { malformed: number; offLink: number; overRate: number };
  sendErrors: number;
}

export interface MdnsLinkOptions {
  readonly interfaceName: string;
  readonly nodeName: string;
  /** Without the domain. */
  readonly siteName: string;
  readonly log: Logger;
  readonly counters: MdnsCounters;
  readonly now: () => number;
  /** The deadline may be another one. */
  onChange(): void;
}

/** The state of one interface, for people. */
export interface MdnsLinkView {
  readonly interfaceName: string;
  /** The names of this node are announced there. */
  readonly isAnnounced: boolean;
  /** As `shoal.local`; undefined if no node of this cluster answers for such a name there. */
  readonly siteName: string | undefined;
  readonly isSiteHeld: boolean;
  /** Why nothing leaves or arrives there. */
  readonly fault: string | undefined;
}

/** A new IPv6 address is of no use while the system asks whether another host has it. */
const PATIENCE_MS = 4000;
/** Some interfaces have no multicast, and stay so: a tunnel. */
const FAULT_REPEAT_MS = 3_600_000;
/** Decoding costs some microseconds. */
const MDNS_RATES = { total: 300, ofSource: 60 };

export class MdnsLink {
  readonly #options: MdnsLinkOptions;
  readonly #responder: Responder;
  readonly #limit = new DatagramLimit(MDNS_RATES);
  readonly #limiter = new LogLimiter();
  readonly #faults = new OngoingFaults(FAULT_REPEAT_MS);
  readonly #sockets = new Map<'ipv4' | 'ipv6', MdnsSocket>();
  #addresses: readonly HostLink[] = [];
  readonly #failingSince = new Map<string, number>();
  #fault: string | undefined;

  constructor(options: MdnsLinkOptions) {
    this.#options = options;
    const { nodeName, siteName, counters } = options;
    this.#responder = new Responder(
      { nodeName, siteName, random: secureRandom },
      {
        multicast: (message) => this.#multicast(message),
        unicast: (message, to) => this.#unicast(message, to),
        announced: (names) => this.#announced(names),
        inUse: (name, instead) => this.#inUse(name, instead),
        siteHeld: (name, isHeld) => this.#siteHeld(name, isHeld),
      },
      counters.responder,
    );
  }

  /** When advance() is due. */
  get deadline(): number {
    return this.#responder.deadline;
  }

  view(): MdnsLinkView {
    const { isAnnounced, siteName, isSiteHeld } = this.#responder;
    return {
      interfaceName: this.#options.interfaceName,
      isAnnounced,
      siteName,
      isSiteHeld,
      fault: this.#fault,
    };
  }

  /** Takes the addresses that the interface has now, and what clients reach there. */
  use(addresses: readonly HostLink[], facts: LinkFacts): void {
    this.#addresses = addresses;
    for (const isIpv6 of [false, true]) {
      this.#open(
        isIpv6 ? 'ipv6' : 'ipv4',
        addresses.find((one) => one.isIpv6 === isIpv6),
      );
    }
    this.#responder.setFacts(this.#options.now(), facts);
  }

  /** See MdnsSocket.joinGroup. */
  joinGroups(): void {
    for (const socket of this.#sockets.values()) socket.joinGroup();
  }

  /** Takes the names of the online members, without this node. */
  setOnline(names: ReadonlySet<string>): void {
    this.#responder.setOnline(this.#options.now(), names);
  }

  advance(now: number): void {
    this.#responder.advance(now);
  }

  /** Withdraws what was announced. */
  close(): void {
    this.#responder.leave(this.#options.now());
    for (const socket of this.#sockets.values()) socket.close();
  }

  #open(family: 'ipv4' | 'ipv6', through: HostLink | undefined): void {
    const known = this.#sockets.get(family);
    if (known?.isOpen && known.through.address === through?.address) return;
    known?.close();
    this.#sockets.delete(family);
    if (through === undefined) return;
    const socket = new MdnsSocket({
      through,
      onDatagram: (datagram, from) => this.#receive(datagram, from),
      onResult: (fault) => this.#sent(family, fault),
    });
    this.#sockets.set(family, socket);
  }

  #receive(datagram: Buffer, from: Endpoint): void {
    const { counters, now: clock, onChange } = this.#options;
    const now = clock();
    const { dropped } = counters;
    if (!this.#isOnLink(from.address)) {
      dropped.offLink += 1;
      return;
    }
    if (!this.#limit.admit(now, from.address)) {
      dropped.overRate += 1;
      return;
    }
    const message = decodeDns(datagram);
    // A response has the port of multicast DNS; one that has not may come from another network. RFC 6762, 6.
    if (message === undefined || (message.isResponse && from.port !== MDNS_PORT)) {
      dropped.malformed += 1;
      return;
    }
    this.#responder.handle(now, from, message);
    onChange();
  }

  /** @param address IPv6 with its zone, where it has one */
  #isOnLink(address: string): boolean {
    const [bare = ''] = address.split('%');
    return (
      bare !== address ||
      this.#addresses.some((own) => isSameNetwork(own.address, bare, own.prefixBits))
    );
  }

  #multicast(message: DnsMessage): void {
    const bytes = encodeDns(message);
    for (const socket of this.#sockets.values()) socket.multicast(bytes);
  }

  #unicast(message: DnsMessage, to: Endpoint): void {
    const family = to.address.includes(':') ? 'ipv6' : 'ipv4';
    this.#sockets.get(family)?.send(encodeDns(message), to);
  }

  #sent(family: string, fault: string | undefined): void {
    const { log, now, counters, interfaceName } = this.#options;
    if (fault === undefined) {
      this.#failingSince.delete(family);
      if (this.#failingSince.size === 0) this.#fault = undefined;
      const lastedMs = this.#faults.resolve(family, now());
      if (lastedMs !== undefined)
        log.info('mDNS works again', { interface: interfaceName, family, lastedMs });
      return;
    }
    counters.sendErrors += 1;
    const since = this.#failingSince.get(family) ?? now();
    this.#failingSince.set(family, since);
    if (now() - since < PATIENCE_MS) return;
    this.#fault = fault;
    if (!this.#faults.report(family, now())) return;
    log.warn('mDNS fails', { interface: interfaceName, family, reason: fault });
  }

  #announced(names: readonly string[]): void {
    if (this.#limiter.admit('announced', this.#options.now()) === 0) return;
    const fields = { interface: this.#options.interfaceName, names: names.join(', ') };
    this.#options.log.info('announced by mDNS', fields);
  }

  #inUse(name: string, instead: string): void {
    const count = this.#limiter.admit('in use', this.#options.now());
    if (count === 0) return;
    const fields = { interface: this.#options.interfaceName, name, instead, count };
    this.#options.log.warn('another host has this mDNS name', fields);
  }

  #siteHeld(name: string, isHeld: boolean): void {
    const key = `site ${isHeld}`;
    const count = this.#limiter.admit(key, this.#options.now());
    if (count === 0) return;
    const event = isHeld
      ? 'this node answers for the mDNS name'
      : 'this node no longer answers for the mDNS name';
    this.#options.log.info(event, { name, interface: this.#options.interfaceName, count });
  }
}
