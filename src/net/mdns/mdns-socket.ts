// The socket of multicast DNS on one interface, for IPv4 or IPv6. It is bound to the multicast group and not to an
// address of this machine: so it receives nothing that was sent to the machine itself, which belongs to
// another responder on the same port (avahi-daemon), and nothing that a router passed on, since routers
// pass these groups on to nowhere. What it sends has port 5353 and the address of the interface.
// Invariants: nothing throws; a socket that has failed stays closed.
// Sources: RFC 6762 3 (groups), 11 (source addresses, IP TTL), 15 (several responders on one machine).

import dgram, { type Socket } from 'node:dgram';
import { MDNS_PORT } from '../../discovery/mdns/responder.ts';
import { describeSystemError } from '../../shared/describe-system-error.ts';
import type { Endpoint } from '../../shared/endpoint.ts';
import type { HostLink } from '../cluster/links.ts';

export interface MdnsSocketOptions {
  /** One of the interface's addresses; its family is that of the socket. */
  readonly through: HostLink;
  /** Must not throw. */
  onDatagram(datagram: Buffer, from: Endpoint): void;
  /** @param fault undefined once a datagram has left */
  onResult(fault: string | undefined): void;
}

const GROUP_IPV4 = '224.0.0.251';
const GROUP_IPV6 = 'ff02::fb';
const IP_TTL = 255;

export class MdnsSocket {
  readonly #options: MdnsSocketOptions;
  readonly #group: string;
  readonly #interface: string;
  readonly #socket: Socket;
  #isOpen = true;
  #isReady = false;
  /** Datagrams that this process has not handed to the system yet. */
  #leaving = 0;

  constructor(options: MdnsSocketOptions) {
    const { through, onDatagram } = options;
    const { address, zone, isIpv6 } = through;
    this.#options = options;
    this.#group = isIpv6 ? GROUP_IPV6 : GROUP_IPV4;
    this.#interface = isIpv6 ? `::%${zone}` : address;
    const type = isIpv6 ? 'udp6' : 'udp4';
    this.#socket = dgram.createSocket({ type, reuseAddr: true, ipv6Only: isIpv6 });
    this.#socket.on('error', (error) => this.#failed(error));
    this.#socket.on('message', (datagram, { address: sender, port }) =>
      onDatagram(datagram, { address: sender, port }),
    );
    this.#socket.bind({ address: this.#bindAddress(), port: MDNS_PORT, exclusive: true }, () =>
      this.#configure(),
    );
  }

  get through(): HostLink {
    return this.#options.through;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  multicast(datagram: Buffer): void {
    this.send(datagram, { address: this.#group, port: MDNS_PORT });
  }

  send(datagram: Buffer, { address, port }: Endpoint): void {
    if (!this.#isReady || !this.#isOpen) return;
    this.#leaving += 1;
    try {
      this.#socket.send(datagram, port, address, (error) => this.#sent(error));
    } catch (error) {
      this.#sent(error);
    }
  }

  /** An interface that was made anew is in no group, although its address is the same. */
  joinGroup(): void {
    if (!this.#isReady || !this.#isOpen) return;
    try {
      this.#socket.addMembership(this.#group, this.#interface);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') this.#failed(error);
    }
  }

  /** May be called twice. What was sent before leaves. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    if (this.#leaving === 0) this.#socket.close();
  }

  /** Windows has no sockets that are bound to a group. */
  #bindAddress(): string {
    const { isIpv6, address, zone } = this.#options.through;
    if (process.platform === 'win32') return isIpv6 ? '::' : address;
    return isIpv6 ? `${GROUP_IPV6}%${zone}` : GROUP_IPV4;
  }

  #configure(): void {
    this.#isReady = true;
    try {
      this.#socket.setMulticastInterface(this.#interface);
      this.#socket.setMulticastTTL(IP_TTL);
      this.#socket.setTTL(IP_TTL);
    } catch (error) {
      this.#failed(error);
    }
    this.joinGroup();
  }

  #sent(error: unknown): void {
    this.#leaving -= 1;
    if (this.#isOpen) {
      if (error) this.#failed(error);
      else this.#options.onResult(undefined);
    } else if (this.#leaving === 0) {
      this.#socket.close();
    }
  }

  #failed(error: unknown): void {
    if (!this.#isOpen) return;
    this.close();
    this.#options.onResult(describeSystemError(error, 'network'));
  }
}
