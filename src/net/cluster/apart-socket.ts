// A UDP socket for one test, on a port that the system chooses.

import type { Endpoint } from '../../shared/endpoint.ts';
import { silentLogger } from '../../shared/logger.ts';
import type { ApartSocket } from './prober.ts';
import { UdpSocket } from './udp.ts';

/** @param bind IP literal; undefined = all addresses. Rejects with a BindError. */
export function openApartSocket(
  bind: string | undefined,
  onDatagram: (datagram: Buffer, from: Endpoint) => void,
): Promise<ApartSocket> {
  const quiet = { receiveBufferBytes: 0, log: silentLogger };
  return UdpSocket.open({ bind, port: 0, flag: '-bind', onDatagram, ...quiet });
}
