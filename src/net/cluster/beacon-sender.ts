// Sends beacons on one network of this machine: to the multicast group and to the network's broadcast
// address, from a socket that is bound to this machine's address there, so that they leave by the right
// interface whatever the routes are. Invariants: nothing throws; without a socket nothing is sent, and the
// next open() tries again.

import dgram, { type Socket } from 'node:dgram';
import { describeSystemError } from '../../shared/describe-system-error.ts';
import type { HostLink } from './links.ts';

/** Of the site-local range that RFC 2365 leaves to each network; 0x53, 0x48 is "SH". */
export const GROUP_IPV4 = '239.255.83.72';
/** Link-local and transient (RFC 4291, 2.7): "Shoal". */
export const GROUP_IPV6 = 'ff12::53:686f:616c';

export class BeaconSender {
  readonly link: HostLink;
  readonly #onResult: (fault: string | undefined) => void;
  readonly #socket: Socket;
  #isOpen = true;

  /** @param onResult called for each beacon, with the reason if it left by no way; and if the socket fails */
  constructor(link: HostLink, onResult: (fault: string | undefined) => void) {
    this.link = link;
    this.#onResult = onResult;
    this.#socket = dgram.createSocket(link.isIpv6 ? 'udp6' : 'udp4');
    this.#socket.on('error', (error) => this.#failed(error));
    this.#socket.on('listening', () => this.#configure());
    this.#socket.bind({ address: link.address, port: 0, exclusive: true });
  }

  /** False once the socket has failed, as it does while an IPv6 address is being probed. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** @param ports of the receiving nodes */
  send(datagram: Buffer, ports: readonly number[]): void {
    if (!this.#isOpen) return;
    const { isIpv6, broadcast } = this.link;
    const addresses = [isIpv6 ? GROUP_IPV6 : GROUP_IPV4, ...(broadcast ? [broadcast] : [])];
    let waiting = addresses.length * ports.length;
    let fault: unknown;
    let isSent = false;
    const done = (error: unknown): void => {
      if (error) fault = error;
      else isSent = true;
      waiting -= 1;
      if (waiting > 0 || !this.#isOpen) return;
      this.#onResult(isSent ? undefined : describeSystemError(fault, 'network'));
    };
    for (const port of ports) {
      for (const address of addresses) this.#sendTo(datagram, port, address, done);
    }
  }

  /** May be called twice. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#socket.close();
  }

  /** By this interface, and no further than the next router. */
  #configure(): void {
    const { address, isIpv6, zone } = this.link;
    try {
      this.#socket.setMulticastInterface(isIpv6 ? `::%${zone}` : address);
      this.#socket.setMulticastTTL(1);
      if (!isIpv6) this.#socket.setBroadcast(true);
    } catch (error) {
      this.#failed(error);
    }
  }

  #sendTo(datagram: Buffer, port: number, address: string, done: (error: unknown) => void): void {
    try {
      this.#socket.send(datagram, port, address, done);
    } catch (error) {
      done(error);
    }
  }

  #failed(error: unknown): void {
    if (!this.#isOpen) return;
    this.#onResult(describeSystemError(error, 'network'));
    this.close();
  }
}
