// Receives beacons where -bind names one address: the gossip socket then gets neither multicast nor
// broadcast, so that each of them needs a socket that is bound to it. Windows has no such sockets; there
// a fault is reported. Invariant: nothing throws.

import dgram, { type Socket } from 'node:dgram';
import { describeSystemError } from '../../shared/describe-system-error.ts';
import type { Endpoint } from '../../shared/endpoint.ts';
import { GROUP_IPV4, GROUP_IPV6 } from './beacon-sender.ts';
import type { HostLink } from './links.ts';

export class BeaconReceiver {
  readonly #sockets: Socket[] = [];

  /** @param onDatagram must not throw */
  constructor(
    { isIpv6, zone, address, broadcast }: HostLink,
    port: number,
    onDatagram: (datagram: Buffer, from: Endpoint) => void,
    onFault: (reason: string) => void,
  ) {
    const group = isIpv6 ? GROUP_IPV6 : GROUP_IPV4;
    const through = isIpv6 ? `::%${zone}` : address;
    for (const target of [isIpv6 ? `${group}%${zone}` : group, broadcast]) {
      if (target === undefined) continue;
      const socket = dgram.createSocket({ type: isIpv6 ? 'udp6' : 'udp4', reuseAddr: true });
      this.#sockets.push(socket);
      socket.on('error', (error) => onFault(describeSystemError(error, 'network')));
      socket.on('message', (datagram, { address: sender, port: senderPort }) =>
        onDatagram(datagram, { address: sender, port: senderPort }),
      );
      socket.bind({ address: target, port, exclusive: true }, () => {
        if (target === broadcast) return;
        try {
          socket.addMembership(group, through);
        } catch (error) {
          onFault(describeSystemError(error, 'network'));
        }
      });
    }
  }

  close(): void {
    for (const socket of this.#sockets) socket.close();
  }
}
