// Multicast DNS of a node, by which clients on the same network find it: follows the interfaces of this machine,
// and gives each one (mdns-link.ts) the services that clients reach there, and its turn of the timer.
// Invariants: nothing throws; a service on loopback is announced nowhere.

import { performance } from 'node:perf_hooks';
import type { AnnouncedService } from '../../discovery/mdns/announced-records.ts';
import type { LinkFacts } from '../../discovery/mdns/responder.ts';
import type { ValuesOf } from '../../metrics/metric-list.ts';
import { isLoopback } from '../../shared/endpoint.ts';
import { isSameNetwork, normalAddress } from '../../shared/ip-address.ts';
import type { Logger } from '../../shared/logger.ts';
import { LinkLocalLog } from '../cluster/link-local-log.ts';
import { type HostLink, listLinks } from '../cluster/links.ts';
import { type MdnsCounters, MdnsLink, type MdnsLinkView } from './mdns-link.ts';

export interface OfferedService extends AnnouncedService {
  /** IP literal; undefined = every address of the machine. */
  readonly bind: string | undefined;
}

export interface MdnsChannelOptions {
  readonly nodeName: string;
  /** Without the domain. */
  readonly siteName: string;
  /** Addresses that one node of the cluster has at a time (-address). */
  readonly clientAddresses: readonly string[];
  readonly log: Logger;
}

/** From one look at the interfaces to the next. */
const INTERFACES_MS = 1000;
const JOIN_GROUPS_MS = 10_000;

export class MdnsChannel {
  readonly #options: MdnsChannelOptions;
  readonly #links = new Map<string, MdnsLink>();
  readonly #linkLocal: LinkLocalLog;
  readonly #counters: MdnsCounters = {
    responder: { queries: 0, answers: 0, conflicts: 0, limited: 0 },
    dropped: { malformed: 0, offLink: 0, overRate: 0 },
    sendErrors: 0,
  };
  #services: readonly OfferedService[] = [];
  #online: ReadonlySet<string> = new Set();
  #lookAt = 0;
  #joinGroupsAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: MdnsChannelOptions) {
    this.#options = options;
    this.#linkLocal = new LinkLocalLog(options.log, 'mDNS announces nothing');
  }

  /** Takes the listeners for clients; again after each change. */
  setServices(services: readonly OfferedService[]): void {
    this.#services = services.filter(({ bind }) => bind === undefined || !isLoopback(bind));
    this.#lookAt = 0;
    this.#advance();
  }

  /** Takes the names of the online members, without this node. */
  setOnline(names: ReadonlySet<string>): void {
    this.#online = names;
    for (const link of this.#links.values()) link.setOnline(names);
    this.#advance();
  }

  /** By interface. */
  get links(): readonly MdnsLinkView[] {
    return [...this.#links.values()].map((link) => link.view());
  }

  metrics(): ValuesOf<'mdns'> {
    const { responder, dropped, sendErrors } = this.#counters;
    const { limited, ...counters } = responder;
    const reasons = Object.entries({ ...dropped, limited });
    return {
      ...counters,
      interfaces: this.links.filter(({ isAnnounced }) => isAnnounced).length,
      siteHeld: this.links.filter(({ isSiteHeld }) => isSiteHeld).length,
      sendErrors,
      dropped: reasons.map(([reason, value]) => ({ labels: { reason }, value })),
    };
  }

  /** Withdraws what was announced. May be called twice. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
  }

  #advance(): void {
    if (this.#isClosed) return;
    const now = performance.now();
    if (now >= this.#lookAt) {
      this.#lookAt = now + INTERFACES_MS;
      this.#useInterfaces(now);
    }
    for (const link of this.#links.values()) link.advance(now);
    this.#schedule();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#isClosed || (this.#services.length === 0 && this.#links.size === 0)) return;
    const deadlines = [...this.#links.values()].map(({ deadline }) => deadline);
    const delayMs = Math.min(this.#lookAt, ...deadlines) - performance.now();
    this.#timer = setTimeout(() => this.#advance(), Math.max(0, Math.ceil(delayMs)));
    this.#timer.unref();
  }

  /** Interfaces come and go: a cable, a Wi-Fi, a new address by DHCP. */
  #useInterfaces(now: number): void {
    const all = listLinks(undefined).filter(hasNeighbours);
    this.#linkLocal.review(all.length, now);
    const present = new Set<string>();
    for (const { interfaceName: name, zone } of all) {
      const key = `${name} ${zone}`;
      if (present.has(key)) continue;
      const addresses = all.filter((one) => one.interfaceName === name);
      const facts = factsOf(addresses, this.#services, this.#options.clientAddresses);
      if (facts.addresses.length === 0) continue;
      present.add(key);
      this.#linkOf(key, name).use(addresses, facts);
    }
    for (const [key, link] of this.#links) {
      if (present.has(key)) continue;
      link.close();
      this.#links.delete(key);
    }
    if (now < this.#joinGroupsAt) return;
    this.#joinGroupsAt = now + JOIN_GROUPS_MS;
    for (const link of this.#links.values()) link.joinGroups();
  }

  #linkOf(key: string, interfaceName: string): MdnsLink {
    const known = this.#links.get(key);
    if (known !== undefined) return known;
    const { nodeName, siteName, log } = this.#options;
    const link = new MdnsLink({
      interfaceName,
      nodeName,
      siteName,
      log,
      counters: this.#counters,
      now: () => performance.now(),
      onChange: () => this.#schedule(),
    });
    link.setOnline(this.#online);
    this.#links.set(key, link);
    return link;
  }
}

/** In a network of one or two addresses, as that of a tunnel, no client asks. */
function hasNeighbours({ isIpv6, broadcast, prefixBits }: HostLink): boolean {
  return isIpv6 ? prefixBits < 128 : broadcast !== undefined;
}

/** What clients reach by an interface with these addresses. */
export function factsOf(
  addresses: readonly HostLink[],
  services: readonly OfferedService[],
  clientAddresses: readonly string[],
): LinkFacts {
  const reached = services.filter((one) => addresses.some((own) => isReached(one, own)));
  const own = addresses.filter((one) => reached.some((service) => isReached(service, one)));
  const here = clientAddresses.filter((client) =>
    addresses.some((one) => isSameNetwork(one.address, client, one.prefixBits)),
  );
  const held = here.filter((client) => own.some(({ address }) => address === client));
  return {
    services: reached.map(({ type, port, path }) => ({ type, port, path })),
    addresses: own.map(({ address }) => address).filter((one) => !here.includes(one)),
    // Several nodes may hold one each: the first counts.
    held: held[0] === here[0] ? held : [],
  };
}

function isReached({ bind }: OfferedService, { address, isIpv6 }: HostLink): boolean {
  if (bind === undefined || bind === '::') return true;
  return bind === '0.0.0.0' ? !isIpv6 : normalAddress(bind) === normalAddress(address);
}
