// One address and port where MQTT clients come in. Leads each socket through what stands before
// MQTT on this listener (a PROXY header, TLS, WebSocket) and gives it to the broker.
// Invariant: all of that together is done in a bounded time, and sockets are counted from the
// moment they are accepted.

import { createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Broker } from '../../broker/broker.ts';
import { originOf } from '../../broker/log-fields.ts';
import type { ConnectionInfo, ListenerRules } from '../../broker/ports.ts';
import { type Endpoint, formatEndpoint, plainAddress } from '../../shared/endpoint.ts';
import type { ListenerConfig } from '../../shared/listener-config.ts';
import { Connection } from './connection.ts';
import { PreConnectLimit } from './pre-connect-limit.ts';
import { parseProxyHeader } from './proxy-header.ts';
import { TlsAcceptor } from './tls-acceptor.ts';
import type { Transport } from './transport.ts';
import { openWebSocketGate, type WebSocketGate } from './websocket.ts';

const BACKLOG = 4096;
/** Beyond one packet of the largest size, for others that share its WebSocket message. */
const WEBSOCKET_MESSAGE_SPARE_BYTES = 65_536;

const LISTEN_FAULTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is in use by another program; choose another port',
  EACCES: 'may not be opened by this user; choose a port above 1023',
  EADDRNOTAVAIL: "can't be opened: no interface has this address; change -bind or the bind",
};

/** A listener could not be opened. The message says what to change, and where. */
export class ListenError extends Error {
  override readonly name = 'ListenError';

  constructor(
    { bind = '::', port, place }: Pick<ListenerConfig, 'bind' | 'port' | 'place'>,
    cause: NodeJS.ErrnoException,
  ) {
    const endpoint = formatEndpoint({ address: bind, port });
    const fault = LISTEN_FAULTS[cause.code ?? ''] ?? `can't be opened: ${cause.message}`;
    super(`TCP ${endpoint} ${fault} ${place.startsWith('-') ? 'with' : 'in'} ${place}`);
  }
}

/** A socket on its way to MQTT. */
interface Arrival {
  readonly socket: Socket;
  origin: ConnectionInfo;
  /** What the client has proven so far. */
  proof: Pick<ListenerRules, 'isCertified' | 'certificateName'>;
}

/** Of all listeners together. */
export class ListenerCounters {
  /** Connections beyond the limit. */
  dropped = 0;
  /** Connections that ended before MQTT. */
  failedHandshakes = 0;
  /** Wrong certificates, and listeners that could not be opened. */
  failedReloads = 0;
  readonly arrivals = new PreConnectLimit();
}

export class Listener {
  #config: ListenerConfig;
  readonly #counters: ListenerCounters;
  readonly #broker: Broker;
  readonly #server: Server;
  #tls: TlsAcceptor | undefined;
  #webSockets: WebSocketGate | undefined;
  /** By the stream that the next stage gets. */
  readonly #upgrading = new WeakMap<object, Arrival>();
  readonly #arrivals = new Map<Socket, NodeJS.Timeout>();
  #local: Endpoint = { address: '', port: 0 };
  #listenerAddress = '';

  private constructor(config: ListenerConfig, broker: Broker, counters: ListenerCounters) {
    this.#config = config;
    this.#broker = broker;
    this.#counters = counters;
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
    this.#server.on('drop', () => this.#dropped());
    this.prepare(config)();
  }

  /** Rejects with ListenError where the address can't be had, TlsFileError for a wrong file. */
  static async open(
    config: ListenerConfig,
    broker: Broker,
    counters: ListenerCounters,
  ): Promise<Listener> {
    const listener = new Listener(config, broker, counters);
    await listener.#listen();
    return listener;
  }

  get config(): ListenerConfig {
    return this.#config;
  }

  get protocol(): ListenerConfig['protocol'] {
    return this.#config.protocol;
  }

  get local(): Endpoint {
    return this.#local;
  }

  /**
   * Certificates are read again, so that session tickets made before are void. The address stays.
   * @returns a function that applies the change to connections from then on
   * @throws TlsFileError
   */
  prepare(next: ListenerConfig): () => void {
    const { protocol, tls, connectionsMax } = next;
    const isWebSocket = protocol === 'ws' || protocol === 'wss';
    const gate = tls && new TlsAcceptor(tls, isWebSocket ? 'http/1.1' : 'mqtt', this.#broker.log);
    return () => {
      this.#server.maxConnections = connectionsMax;
      this.#config = next;
      this.#tls = gate;
      this.#webSockets = isWebSocket ? this.#openWebSocketGate() : undefined;
    };
  }

  /** Takes no more connections. @returns when those that are open have ended */
  close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#arrivals.keys()) socket.destroy(new Error('the server stops'));
    return closed;
  }

  #listen(): Promise<void> {
    const { bind, port } = this.#config;
    const server = this.#server;
    return new Promise((resolve, reject) => {
      const fail = (error: NodeJS.ErrnoException): void =>
        reject(new ListenError(this.#config, error));
      server.once('error', fail);
      server.listen({ host: bind, port, backlog: BACKLOG }, () => {
        server.off('error', fail);
        // A later error, out of file descriptors say, concerns one connection that was not made.
        server.on('error', ({ message }) => this.#broker.log.warn('listener', { error: message }));
        const address = server.address();
        if (address === null || typeof address === 'string') throw new Error('not a TCP server');
        this.#local = { address: plainAddress(address.address), port: address.port };
        this.#listenerAddress = formatEndpoint(this.#local);
        resolve();
      });
    });
  }

  #accept(socket: Socket): void {
    const { proxyProtocol, connectTimeoutSeconds } = this.#config;
    const origin = {
      remoteAddress: plainAddress(socket.remoteAddress ?? ''),
      remotePort: socket.remotePort,
      listenerAddress: this.#listenerAddress,
      listener: this.#rules(),
    };
    if (this.#config.protocol === 'tcp' && !proxyProtocol) {
      const connection = new Connection(socket, this.#broker, origin);
      connection.countArrival(this.#counters.arrivals, socket);
      return;
    }
    const arrival = { socket, origin, proof: {} };
    const timer = setTimeout(
      () => socket.destroy(new Error('it took too long')),
      connectTimeoutSeconds * 1000,
    );
    this.#arrivals.set(socket, timer);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (this.#arrived(socket)) this.#counters.failedHandshakes += 1;
    });
    if (proxyProtocol) this.#readProxyHeader(arrival);
    else this.#secure(arrival);
  }

  /** @returns false where that was known */
  #arrived(socket: Socket): boolean {
    clearTimeout(this.#arrivals.get(socket));
    return this.#arrivals.delete(socket);
  }

  #rules(): ListenerRules {
    const { id, packetBytesMax } = this.#config;
    return { name: id, packetBytesMax };
  }

  #dropped(): void {
    this.#counters.dropped += 1;
    const { place } = this.#config;
    const max = this.#server.maxConnections;
    this.#broker.log.warn('connection dropped: max-connections is reached', { place, max });
  }

  #readProxyHeader(arrival: Arrival): void {
    const { socket } = arrival;
    let held: Buffer = Buffer.alloc(0);
    const read = (): void => {
      const chunk: Buffer | null = socket.read();
      if (chunk === null) return;
      held = Buffer.concat([held, chunk]);
      const header = parseProxyHeader(held);
      if (header === 'incomplete') return;
      socket.off('readable', read);
      if (header === 'invalid') {
        this.#refuse(arrival, 'no valid PROXY header');
        return;
      }
      if (header.bytes < held.length) socket.unshift(held.subarray(header.bytes));
      if (header.source !== undefined) {
        const { address: remoteAddress, port: remotePort } = header.source;
        arrival.origin = { ...arrival.origin, remoteAddress, remotePort };
      }
      this.#secure(arrival);
    };
    socket.on('readable', read);
  }

  #refuse({ socket, origin }: Arrival, reason: string): void {
    this.#broker.log.info('connection refused', { ...originOf(origin), reason });
    socket.destroy();
  }

  #secure(arrival: Arrival): void {
    if (this.#tls === undefined) {
      this.#upgrade(arrival, arrival.socket);
      return;
    }
    this.#tls.take(arrival.socket, originOf(arrival.origin), (stream, proof) => {
      arrival.proof = proof;
      this.#upgrade(arrival, stream);
    });
  }

  #upgrade(arrival: Arrival, stream: Socket): void {
    if (this.#webSockets === undefined) {
      this.#connect(arrival, stream, stream);
      return;
    }
    this.#upgrading.set(stream, arrival);
    this.#webSockets.take(stream);
  }

  #openWebSocketGate(): WebSocketGate {
    const { packetBytesMax, origins } = this.#config;
    return openWebSocketGate(
      { messageBytesMax: packetBytesMax + WEBSOCKET_MESSAGE_SPARE_BYTES, origins },
      (transport, stream) => {
        const arrival = this.#upgrading.get(stream);
        if (arrival !== undefined) this.#connect(arrival, transport, stream);
      },
      ({ status, reason }, stream) => {
        const arrival = this.#upgrading.get(stream);
        const origin = arrival && originOf(arrival.origin);
        this.#broker.log.info('WebSocket refused', { ...origin, status, reason });
      },
    );
  }

  #connect(arrival: Arrival, transport: Transport, stream: Duplex): void {
    const { socket, origin, proof } = arrival;
    this.#arrived(socket);
    const listener = { ...this.#rules(), ...proof };
    const connection = new Connection(transport, this.#broker, { ...origin, listener });
    connection.countArrival(this.#counters.arrivals, stream);
  }
}
