// The UDP socket of a cluster channel: IPv4, IPv6 or both, with the largest receive buffer that the
// system grants. Knows nothing of what the datagrams mean. Invariants: after open() an error is
// counted and logged at a limited rate, never thrown; send() never asks the DNS.

import dgram, { type RemoteInfo, type Socket } from 'node:dgram';
import { isIP } from 'node:net';
import { describeSystemError } from '../../shared/describe-system-error.ts';
import { type Endpoint, formatEndpoint, plainAddress } from '../../shared/endpoint.ts';
import { LogLimiter } from '../../shared/log-limiter.ts';
import type { Logger } from '../../shared/logger.ts';
import { describePortHolder } from '../port-holder.ts';
import { SendFaults } from './send-faults.ts';

export interface UdpOptions {
  /** IP literal; undefined = every address of the machine, IPv4 and IPv6. */
  readonly bind?: string | undefined;
  /** 0 = any free port. */
  readonly port: number;
  /** The flag that changes the port, such as `-crp`, for the message that the port is in use. */
  readonly flag: string;
  /** Requested size; the system may grant less. */
  readonly receiveBufferBytes: number;
  /** `datagram` belongs to the handler. Must not throw. */
  onDatagram(datagram: Buffer, from: Endpoint): void;
  /** The kernel has taken all datagrams that waited since send() returned false. Must not throw. */
  onDrain?(): void;
  readonly log: Logger;
}

export interface UdpCounters {
  received: number;
  receivedBytes: number;
  sent: number;
  sentBytes: number;
  sendErrors: number;
  socketErrors: number;
}

const RECEIVE_BUFFER_BYTES_MIN = 64 * 1024;

/** The port can't be opened; the message says what to do. */
export class BindError extends Error {
  override readonly name = 'BindError';
  readonly isInUse: boolean;

  constructor(message: string, isInUse = false) {
    super(message);
    this.isInUse = isInUse;
  }
}

export class UdpSocket {
  readonly local: Endpoint;
  /** As the system reports it (Linux reports twice what it granted). */
  readonly receiveBufferBytes: number;
  readonly counters: Readonly<UdpCounters>;
  readonly #counters: UdpCounters;
  readonly #socket: Socket;
  /** A dual-stack socket reaches IPv4 only through mapped addresses. */
  readonly #isIpv6: boolean;
  readonly #onDrain: (() => void) | undefined;
  #isOpen = true;
  #isFull = false;
  readonly #limiter = new LogLimiter();
  readonly #log: Logger;
  readonly #sendFaults: SendFaults;

  private constructor(socket: Socket, options: UdpOptions) {
    const bound = socket.address();
    this.#socket = socket;
    this.#log = options.log;
    this.#sendFaults = new SendFaults(options.log, bound.port);
    this.#onDrain = options.onDrain?.bind(options);
    this.#isIpv6 = bound.family === 'IPv6';
    this.local = { address: plainAddress(bound.address), port: bound.port };
    this.receiveBufferBytes = growReceiveBuffer(socket, options.receiveBufferBytes);
    this.#counters = {
      received: 0,
      receivedBytes: 0,
      sent: 0,
      sentBytes: 0,
      sendErrors: 0,
      socketErrors: 0,
    };
    this.counters = this.#counters;
    socket.on('message', (datagram: Buffer, from: RemoteInfo) => {
      this.#counters.received += 1;
      this.#counters.receivedBytes += datagram.length;
      options.onDatagram(datagram, { address: plainAddress(from.address), port: from.port });
    });
    socket.on('error', (error) => this.#socketFailed(error));
  }

  /** Rejects with a BindError if the address can't be bound. */
  static async open(options: UdpOptions): Promise<UdpSocket> {
    return new UdpSocket(await bindSocket(options), options);
  }

  /**
   * Sends one datagram; an error is counted and logged.
   * @param to an IP literal; the wrong family and port 0 count as errors
   * @returns true if the kernel has taken the bytes, so that the caller may reuse `datagram`; after
   *   false the socket still needs them
   */
  send(datagram: Buffer, to: Endpoint): boolean {
    if (!this.#isOpen) return true;
    const address = this.#isIpv6 && !to.address.includes(':') ? `::ffff:${to.address}` : to.address;
    if (this.#isIpv6 !== address.includes(':') || to.port === 0) {
      this.#counters.sendErrors += 1;
      return true;
    }
    this.#counters.sent += 1;
    this.#counters.sentBytes += datagram.length;
    try {
      this.#socket.send(datagram, to.port, address, this.#onSent);
    } catch (error) {
      this.#counters.sendErrors += 1;
      this.#sendFaults.failed(error as Error);
      return true;
    }
    this.#isFull = this.#queuedDatagrams() > 0;
    return !this.#isFull;
  }

  /**
   * Receives what is sent to a multicast group, too.
   * @param through the interface: its IPv4 address, or `::%eth0`
   * @returns why the system refuses; undefined if it does not, or if the group was joined before
   */
  joinGroup(group: string, through: string): string | undefined {
    if (!this.#isOpen) return undefined;
    try {
      this.#socket.addMembership(group, through);
    } catch (error) {
      if (codeOf(error) !== 'EADDRINUSE') return describeSystemError(error, 'network');
    }
    return undefined;
  }

  /**
   * Sends to multicast groups through one interface, to other machines, and no further than to the next router.
   * @param through as for joinGroup()
   * @returns why the system refuses; undefined if it does not
   */
  sendThrough(through: string): string | undefined {
    try {
      this.#socket.setMulticastInterface(through);
      this.#socket.setMulticastTTL(1);
      this.#socket.setMulticastLoopback(false);
      return undefined;
    } catch (error) {
      return describeSystemError(error, 'network');
    }
  }

  /** True while datagrams wait in this process because the kernel takes no more. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Discards datagrams that wait. May be called twice. */
  close(): Promise<void> {
    if (!this.#isOpen) return Promise.resolve();
    this.#isOpen = false;
    return new Promise((resolve) => this.#socket.close(() => resolve()));
  }

  readonly #onSent = (error: Error | null): void => {
    if (error !== null) {
      this.#counters.sendErrors += 1;
      this.#sendFaults.failed(error);
    } else if (this.#sendFaults.isOngoing) {
      this.#sendFaults.succeeded();
    }
    if (!this.#isFull || !this.#isOpen || this.#queuedDatagrams() > 0) return;
    this.#isFull = false;
    this.#onDrain?.();
  };

  /** Other runtimes than Node may lack the method; then the queue counts as empty. */
  #queuedDatagrams(): number {
    return this.#socket.getSendQueueCount?.() ?? 0;
  }

  #socketFailed(error: Error): void {
    this.#counters.socketErrors += 1;
    const count = this.#limiter.admit('udp socket error', performance.now());
    if (count === 0) return;
    const reason = describeSystemError(error, 'network');
    this.#log.warn('udp socket error', { port: this.local.port, reason, count });
  }
}

async function bindSocket(options: UdpOptions): Promise<Socket> {
  const { bind, port } = options;
  if (bind !== undefined) {
    if (isIP(bind) === 0) throw new BindError(`${bind} is not an IP address to bind to`);
    return tryBind(isIP(bind) === 6 ? 'udp6' : 'udp4', bind, port).catch((error) => {
      throw explain(error, bind, options);
    });
  }
  try {
    return await tryBind('udp6', '::', port);
  } catch (error) {
    if (codeOf(error) === 'EADDRINUSE' || codeOf(error) === 'EACCES') {
      throw explain(error, '::', options);
    }
  }
  // A kernel without IPv6.
  return tryBind('udp4', '0.0.0.0', port).catch((error) => {
    throw explain(error, '0.0.0.0', options);
  });
}

function tryBind(type: 'udp4' | 'udp6', address: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = dgram.createSocket({ type, lookup: takeLiteral });
    const fail = (error: Error): void => {
      socket.close();
      reject(error);
    };
    socket.once('error', fail);
    socket.bind({ address, port, exclusive: true }, () => {
      socket.off('error', fail);
      resolve(socket);
    });
  });
}

type Lookup = NonNullable<dgram.SocketOptions['lookup']>;

/** In place of dns.lookup, because all addresses are literals. */
const takeLiteral: Lookup = (address, options, callback) => {
  callback(null, address, options.family === 6 ? 6 : 4);
};

function explain(error: unknown, address: string, options: UdpOptions): Error {
  const place = formatEndpoint({ address, port: options.port });
  switch (codeOf(error)) {
    case 'EADDRINUSE':
      return new BindError(
        `UDP ${place} is in use by ${describePortHolder('udp', options.port)}; choose another port with ${options.flag}`,
        true,
      );
    case 'EACCES':
      return new BindError(
        `UDP ${place} may not be opened by this user; choose a port above 1023 with ${options.flag}`,
      );
    case 'EADDRNOTAVAIL':
      return new BindError(
        `UDP ${place} can't be opened: no interface has this address; choose another one with -bind`,
      );
    default:
      return new BindError(
        `UDP ${place} can't be opened: ${describeSystemError(error, 'network')}`,
      );
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}

/** Linux silently grants less than requested; other systems refuse, so smaller sizes are tried. */
function growReceiveBuffer(socket: Socket, requestedBytes: number): number {
  for (let bytes = requestedBytes; bytes >= RECEIVE_BUFFER_BYTES_MIN; bytes = bytes >> 1) {
    try {
      socket.setRecvBufferSize(bytes);
      break;
    } catch {
      // Too large for this system.
    }
  }
  return socket.getRecvBufferSize();
}
