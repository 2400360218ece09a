// Whether a host is there at all, found out without raw sockets: by what the system says when a UDP
// datagram or a TCP connection can't be delivered. Never rejects.

import dgram from 'node:dgram';
import { connect } from 'node:net';
import type { Endpoint } from '../shared/endpoint.ts';

/** The kernel gives up on a host that does not answer ARP after 3 s. */
const WAIT_MS_MAX = 3500;
/** A refusal comes within a round trip. */
const REFUSAL_MS = 800;
/** A system with a broker on it has this port open or refuses it; both prove that it is up. */
const MQTT_PORT = 1883;

export interface HostReach {
  readonly state: 'up' | 'down' | 'unknown';
  /** The host says that no program has the UDP port. */
  readonly isPortClosed: boolean;
  /** No program has its MQTT port. A system limits how often it says so of UDP ports, but not of TCP ports. */
  readonly isMqttRefused: boolean;
  /** A firewall of this machine refuses to send. */
  readonly isSendRefused: boolean;
}

/** @param to UDP port to ask about */
export async function reachHost(to: Endpoint): Promise<HostReach> {
  const [udp, tcp] = await Promise.all([udpFault(to), tcpOutcome(to.address)]);
  const isPortClosed = udp === 'ECONNREFUSED';
  const isSendRefused = udp === 'EPERM' || udp === 'EACCES';
  const isMqttRefused = tcp === 'ECONNREFUSED';
  const isUp = isPortClosed || tcp === 'connected' || isMqttRefused;
  const isDown = [udp, tcp].some((code) => code === 'EHOSTUNREACH' || code === 'ENETUNREACH');
  const state = isUp ? 'up' : isDown ? 'down' : 'unknown';
  return { state, isPortClosed, isMqttRefused, isSendRefused };
}

/** @returns the error code; undefined if the datagram went out and nothing came back */
function udpFault({ address, port }: Endpoint): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
    const done = (code: string | undefined): void => {
      clearTimeout(timer);
      socket.removeAllListeners('error').on('error', () => undefined);
      socket.close();
      resolve(code);
    };
    const timer = setTimeout(done, REFUSAL_MS, undefined);
    socket.once('error', (error) => done((error as NodeJS.ErrnoException).code));
    // Node gives the callback the error, which its types do not say.
    socket.connect(port, address, (fault?: NodeJS.ErrnoException) => {
      if (fault) return done(fault.code);
      // One byte is no datagram of the protocol: it is counted there as short.
      socket.send(Buffer.of(0), (error) => {
        if (error !== null) done((error as NodeJS.ErrnoException).code);
      });
    });
  });
}

function tcpOutcome(host: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port: MQTT_PORT });
    const done = (outcome: string | undefined): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(outcome);
    };
    const timer = setTimeout(done, WAIT_MS_MAX, undefined);
    socket.once('connect', () => done('connected'));
    socket.on('error', (error) => done((error as NodeJS.ErrnoException).code));
  });
}
