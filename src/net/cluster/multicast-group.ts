// The multicast group of a cluster's messages (-sync=multicast) on the networks of this machine: says on
// which network a node may be reached through it, sends there and joins it there. The group's address comes
// from the key id of the token, which depends on the cluster's name as well, so that clusters do not hear
// each other. Source: RFC 2365 (239.192.0.0/14 is for one organization), RFC 4291 and 3307 (ff15: transient).
// Invariants: nothing throws; what can't be sent or received by multicast is logged, and its peers get
// unicast, because their hellos have no answer; no datagram leaves a network (TTL 1).

import { performance } from 'node:perf_hooks';
import { describeSystemError } from '../../shared/describe-system-error.ts';
import type { Endpoint } from '../../shared/endpoint.ts';
import { isSameNetwork } from '../../shared/ip-address.ts';
import type { ChannelKeys } from '../../shared/key-ring.ts';
import type { Logger } from '../../shared/logger.ts';
import { OngoingFaults } from '../../shared/ongoing-faults.ts';
import type { GroupOutbox } from '../../sync/outbox.ts';
import { type HostLink, listLinks } from './links.ts';
import { specificAddress } from './local-addresses.ts';
import { UdpSocket } from './udp.ts';

export interface MulticastGroupOptions {
  readonly keys: ChannelKeys;
  /** Of -bind. */
  readonly bind: string | undefined;
  readonly log: Logger;
  /** Joins on the socket of the channel; see UdpSocket.joinGroup(). */
  join(group: string, through: string): string | undefined;
  /** A socket of the group takes datagrams again. */
  onDrain(): void;
  /** In place of the system's list, for tests. */
  readonly listLinks?: (bind: string | undefined) => readonly HostLink[];
}

/** The path to the group on one network. */
interface Way {
  readonly link: HostLink;
  to: Endpoint;
  /** Opened by the first datagram; undefined until it is open. */
  socket: UdpSocket | undefined;
  isOpening: boolean;
}

/** The interfaces are listed at most this often. */
const LINKS_MS = 1000;
/** An interface that was made anew is in no group, and does not know the socket. */
const RENEW_MS = 10_000;
const FAULTS = {
  send: 'messages are not sent by multicast',
  receive: 'messages are not received by multicast',
} as const;
const FAULTS_OVER = {
  send: 'messages are sent by multicast again',
  receive: 'messages are received by multicast again',
} as const;

/** @param keyId of the sync channel */
export function groupAddress(keyId: number, isIpv6: boolean): string {
  const high = (keyId >>> 16) & 0xffff;
  const low = keyId & 0xffff;
  return isIpv6
    ? `ff15::5348:${(high | 0x8000).toString(16)}:${low.toString(16)}`
    : `239.${192 | (high & 3)}.${low >> 8}.${low & 255}`;
}

export class MulticastGroup implements GroupOutbox {
  readonly #options: MulticastGroupOptions;
  readonly #bind: string | undefined;
  readonly #faults = new OngoingFaults();
  #keys: ChannelKeys;
  readonly #ways = new Map<string, Way>();
  #links: readonly HostLink[] = [];
  #linksUntil = Number.NEGATIVE_INFINITY;
  readonly #timer: NodeJS.Timeout;
  #isOpen = true;

  constructor(options: MulticastGroupOptions) {
    this.#options = options;
    this.#keys = options.keys;
    this.#bind = specificAddress(options.bind);
    this.#timer = setInterval(() => this.#renew(), RENEW_MS);
    this.#timer.unref();
  }

  /** Joins the group there. */
  networkOf({ address, port }: Endpoint): string | undefined {
    if (!this.#isOpen) return undefined;
    this.#listLinks();
    const link = this.#links.find((one) => isSameNetwork(one.address, address, one.prefixBits));
    // A datagram to the group does not come back to this machine.
    if (link === undefined || link.address === address) return undefined;
    const name = `${link.address} ${port}`;
    if (!this.#ways.has(name)) {
      const to = this.#groupOn(link, port);
      this.#ways.set(name, { link, to, socket: undefined, isOpening: false });
      this.#join(link);
    }
    return name;
  }

  send(datagram: Buffer, network: string): boolean {
    const way = this.#ways.get(network);
    if (way?.socket !== undefined) return way.socket.send(datagram, way.to);
    if (way !== undefined && !way.isOpening) void this.#open(network, way);
    return true;
  }

  /** True while datagrams wait because the kernel takes no more. */
  get isFull(): boolean {
    for (const { socket } of this.#ways.values()) if (socket?.isFull) return true;
    return false;
  }

  /** Sends to the group of the first of these keys from now on, and receives those of all. */
  rekey(keys: ChannelKeys): void {
    this.#keys = keys;
    for (const way of this.#ways.values()) way.to = this.#groupOn(way.link, way.to.port);
    this.#renew();
  }

  /** May be called twice. */
  async close(): Promise<void> {
    this.#isOpen = false;
    clearInterval(this.#timer);
    const sockets = [...this.#ways.values()].map(({ socket }) => socket);
    await Promise.all(sockets.map((socket) => socket?.close()));
  }

  /** The smallest network that an address is in comes first. */
  #listLinks(): void {
    const now = performance.now();
    if (now < this.#linksUntil) return;
    this.#linksUntil = now + LINKS_MS;
    const { listLinks: list = listLinks } = this.#options;
    const links = [...list(this.#bind)];
    this.#links = links.sort((one, other) => other.prefixBits - one.prefixBits);
  }

  #groupOn({ isIpv6 }: HostLink, port: number): Endpoint {
    return { address: groupAddress(this.#keys.signing.id, isIpv6), port };
  }

  /** Until it is open, nothing is sent. */
  async #open(name: string, way: Way): Promise<void> {
    const { link } = way;
    const { address } = link;
    way.isOpening = true;
    try {
      const socket = await UdpSocket.open({
        bind: address,
        port: 0,
        flag: '-bind',
        receiveBufferBytes: 0,
        log: this.#options.log,
        onDatagram: () => undefined,
        onDrain: () => this.#options.onDrain(),
      });
      const fault = socket.sendThrough(throughOf(link));
      this.#note('send', address, fault);
      if (this.#isOpen && this.#ways.get(name) === way) way.socket = socket;
      else await socket.close();
    } catch (error) {
      const fault = describeSystemError(error, 'network');
      this.#note('send', address, fault);
      this.#ways.delete(name);
    }
  }

  /** Closes ways over interfaces that are gone or fail, and joins the group where it may have been left. */
  #renew(): void {
    if (!this.#isOpen) return;
    this.#listLinks();
    const present = new Set(this.#links.map(({ address }) => address));
    for (const [name, { link, socket }] of this.#ways) {
      if (present.has(link.address) && !socket?.counters.sendErrors) this.#join(link);
      else {
        this.#ways.delete(name);
        void socket?.close();
      }
    }
  }

  /** With -bind the channel's socket gets no multicast, whatever it joins. */
  #join(link: HostLink): void {
    if (this.#bind !== undefined) return;
    for (const keyId of this.#keys.accepted.keys()) {
      const group = groupAddress(keyId, link.isIpv6);
      this.#note('receive', link.address, this.#options.join(group, throughOf(link)));
    }
  }

  /** @param fault undefined if all is well on the network of that address */
  #note(use: keyof typeof FAULTS, address: string, fault: string | undefined): void {
    const now = performance.now();
    const { log } = this.#options;
    const key = `${use} ${address}`;
    if (fault !== undefined) {
      if (this.#faults.report(key, now)) log.warn(FAULTS[use], { address, reason: fault });
    } else if (this.#faults.resolve(key, now) !== undefined) {
      log.info(FAULTS_OVER[use], { address });
    }
  }
}

function throughOf({ isIpv6, zone, address }: HostLink): string {
  return isIpv6 ? `::%${zone}` : address;
}
