// One address and port where MQTT clients connect: opens it, decides which sockets are served, leads
// them through the handshake of the listener's layers and gives them to the broker.
// Invariants: sockets count against the limits from the moment they are accepted; a socket that
// fails takes nothing else with it.

import { createServer, type Server, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { Broker } from '../../broker/broker.ts';
import type { ConnectionInfo, ListenerRules } from '../../broker/ports.ts';
import { ListenerRates } from '../../broker/rate-limits.ts';
import { describeSystemError } from '../../shared/describe-system-error.ts';
import { type Endpoint, formatEndpoint, plainAddress } from '../../shared/endpoint.ts';
import type { ListenerConfig } from '../../shared/listener-config.ts';
import { OngoingFaults } from '../../shared/ongoing-faults.ts';
import { SwapList } from '../../shared/swap-list.ts';
import { ListenError } from '../listen-error.ts';
import { AcceptQueue } from './accept-queue.ts';
import { Connection } from './connection.ts';
import { emitChunksAtOnce } from './direct-reads.ts';
import { type Established, Handshake, type Layers } from './handshake.ts';
import type { PreConnectLimit } from './pre-connect-limit.ts';
import type { LimitReached, ListenerSockets, SocketLimit } from './socket-limit.ts';
import { TlsAcceptor } from './tls-acceptor.ts';
import { WebSocketAcceptor } from './websocket.ts';

/** Connections that the system holds until they are accepted. */
const BACKLOG = 4096;
/** The system asks the other end whether it is still there, after this time without traffic. */
const TCP_KEEP_ALIVE_MS = 60_000;
/** Room in a WebSocket message beyond one packet of the largest size. */
const WEBSOCKET_MESSAGE_SPARE_BYTES = 65_536;
/** A listener at its limit is well again when it has this share free. */
const WELL_SHARE = 0.1;

const FAULT_LIMIT = 'limit';
const FAULT_ACCEPT = 'accept';
const FAULT_RATE = 'rate';

/** Counters of all listeners together. */
export class ListenerStats {
  /** Connections beyond a limit. */
  dropped = 0;
  /** Connections that had to wait for -connect-rate. */
  delayed = 0;
  /** Connections that the system could not accept. */
  failedAccepts = 0;
  /** Connections that ended before MQTT began. */
  failedHandshakes = 0;
  /** At a reload: wrong certificates, and listeners that could not be opened. */
  failedReloads = 0;
}

/** What all listeners of a node share. */
export interface ListenerParts {
  readonly broker: Broker;
  readonly socketLimit: SocketLimit;
  readonly preConnectLimit: PreConnectLimit;
  readonly stats: ListenerStats;
}

export class Listener {
  #config: ListenerConfig;
  readonly #parts: ListenerParts;
  readonly #server: Server;
  #layers: Layers = { hasProxyHeader: false, tls: undefined, webSocket: undefined };
  /** Of all its clients, without what one has proven. */
  #rules: ListenerRules = { name: '' };
  readonly #handshakes = new SwapList<Handshake>();
  readonly #sockets: ListenerSockets = { served: 0, max: () => this.#config.connectionsMax };
  readonly #faults = new OngoingFaults();
  readonly #rates = new ListenerRates();
  readonly #acceptQueue = new AcceptQueue(() => performance.now());
  #local: Endpoint = { address: '', port: 0 };
  #listenerAddress = '';

  private constructor(config: ListenerConfig, parts: ListenerParts) {
    this.#config = config;
    this.#parts = parts;
    this.#server = createServer(
      { noDelay: true, keepAlive: true, keepAliveInitialDelay: TCP_KEEP_ALIVE_MS },
      (socket) => this.#accept(socket),
    );
    this.prepare(config)();
  }

  /** Rejects with ListenError if the address is not available, with TlsFileError for a wrong file. */
  static async open(config: ListenerConfig, parts: ListenerParts): Promise<Listener> {
    const listener = new Listener(config, parts);
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
   * Reads the certificates again, which makes earlier session tickets void. The address stays.
   * @returns a function that applies the change to connections from then on
   * @throws TlsFileError
   */
  prepare(next: ListenerConfig): () => void {
    const { protocol, tls, packetBytesMax, paths, origins, proxyProtocol } = next;
    const isWebSocket = protocol === 'ws' || protocol === 'wss';
    const messageBytesMax = packetBytesMax + WEBSOCKET_MESSAGE_SPARE_BYTES;
    const alpn = isWebSocket ? 'http/1.1' : 'mqtt';
    const layers: Layers = {
      hasProxyHeader: proxyProtocol,
      tls: tls && new TlsAcceptor(tls, alpn, this.#parts.broker.log),
      webSocket: isWebSocket
        ? new WebSocketAcceptor({ messageBytesMax, paths, origins })
        : undefined,
    };
    return () => {
      this.#config = next;
      this.#layers = layers;
      this.#rules = {
        name: next.id,
        packetBytesMax,
        maximumQos: next.maximumQos,
        rates: this.#rates,
      };
      this.#rates.configure(next.rates);
      this.#acceptQueue.rate = {
        perSecond: next.connectRate,
        burstMs: next.rates.burstSeconds * 1000,
      };
    };
  }

  /** Stops accepting, and ends what has not reached MQTT. @returns when all open connections have ended */
  close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const handshake of this.#handshakes) handshake.abort('the server stops');
    this.#acceptQueue.close();
    return closed;
  }

  /** Logs that a limit is no longer reached. Call it every few seconds. */
  checkLimits(now: number): void {
    const { socketLimit } = this.#parts;
    const share = 1 - WELL_SHARE;
    const isWell =
      this.#sockets.served <= this.#config.connectionsMax * share &&
      socketLimit.served <= socketLimit.max * share;
    if (isWell) this.#resolve(FAULT_LIMIT, now);
    if (this.#acceptQueue.waiting === 0) this.#resolve(FAULT_RATE, now);
  }

  #resolve(fault: string, now: number): void {
    const lastedMs = this.#faults.resolve(fault, now);
    if (lastedMs === undefined) return;
    const { place } = this.#config;
    const event =
      fault === FAULT_RATE
        ? 'connections no longer wait: they come below -connect-rate'
        : 'connections are accepted again';
    this.#parts.broker.log.info(event, { place, lastedMs });
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
        server.on('error', (error) => this.#acceptFailed(error));
        const address = server.address();
        if (address === null || typeof address === 'string') throw new Error('not a TCP server');
        this.#local = { address: plainAddress(address.address), port: address.port };
        this.#listenerAddress = formatEndpoint(this.#local);
        resolve();
      });
    });
  }

  /** One connection was not made; the listener goes on. */
  #acceptFailed(error: Error): void {
    this.#parts.stats.failedAccepts += 1;
    if (!this.#faults.report(FAULT_ACCEPT, performance.now())) return;
    const { place } = this.#config;
    const reason = describeSystemError(error, 'network');
    this.#parts.broker.log.warn('connection not accepted', { place, reason });
  }

  #accept(socket: Socket): void {
    // From here on a socket can fail at any time; 'close' follows every error.
    socket.on('error', ignore);
    this.#resolve(FAULT_ACCEPT, performance.now());
    this.#parts.socketLimit.admit(
      socket,
      this.#sockets,
      () => this.#serveInTurn(socket),
      (limit) => this.#drop(socket, limit),
    );
  }

  #serveInTurn(socket: Socket): void {
    const isDelayed = this.#acceptQueue.admit(
      socket,
      () => this.#serve(socket),
      () => this.#drop(socket, 'rate'),
    );
    if (!isDelayed) return;
    const { stats, broker } = this.#parts;
    stats.delayed += 1;
    if (!this.#faults.report(FAULT_RATE, performance.now())) return;
    const { place, connectRate } = this.#config;
    const fields = { place, perSecond: connectRate, delayed: stats.delayed };
    broker.log.warn('connections wait: they come faster than -connect-rate', fields);
  }

  #drop(socket: Socket, limit: LimitReached | 'rate'): void {
    socket.destroy();
    const { stats, broker, socketLimit } = this.#parts;
    stats.dropped += 1;
    // The line about the connections that wait says it already.
    if (limit === 'rate') return;
    if (!this.#faults.report(FAULT_LIMIT, performance.now())) return;
    const { place, connectionsMax } = this.#config;
    const { dropped } = stats;
    if (limit === 'listener') {
      const fields = { place, max: connectionsMax, dropped };
      broker.log.warn('connection dropped: max-connections is reached', fields);
    } else {
      const fields = { place, max: socketLimit.max, dropped };
      broker.log.warn('connection dropped: the limit of file descriptors is reached', fields);
    }
  }

  #serve(socket: Socket): void {
    const info: ConnectionInfo = {
      remoteAddress: plainAddress(socket.remoteAddress ?? ''),
      remotePort: socket.remotePort,
      listenerAddress: this.#listenerAddress,
    };
    const layers = this.#layers;
    if (!layers.hasProxyHeader && layers.tls === undefined && layers.webSocket === undefined) {
      // Node would end our side in the turn in which the client ends its own: the connection does so later.
      socket.allowHalfOpen = true;
      this.#connect({ transport: socket, stream: socket, info, proof: undefined });
      return;
    }
    const handshake = new Handshake(socket, info, {
      layers,
      timeoutMs: this.#config.connectTimeoutSeconds * 1000,
      log: this.#parts.broker.log,
      established: (result) => {
        this.#handshakes.delete(handshake);
        this.#connect(result);
      },
      failed: () => {
        this.#handshakes.delete(handshake);
        this.#parts.stats.failedHandshakes += 1;
      },
    });
    this.#handshakes.add(handshake);
  }

  #connect({ transport, stream, info, proof }: Established): void {
    const isPlainTcp = transport === stream && proof === undefined;
    const { remoteAddress, remotePort, listenerAddress } = info;
    // No spread: it would cost each connection a hidden class of its own (decision 0195).
    const connectionInfo: ConnectionInfo = {
      remoteAddress,
      remotePort,
      listenerAddress,
      listener: rulesFor(this.#rules, proof),
    };
    const { broker } = this.#parts;
    const connection = new Connection(transport, broker, connectionInfo, isPlainTcp);
    connection.limitBeforeConnect(this.#parts.preConnectLimit, stream);
    emitChunksAtOnce(stream);
  }
}

/** Most clients prove nothing: they share the rules of their listener. */
function rulesFor(rules: ListenerRules, proof: Established['proof']): ListenerRules {
  const isProven = proof?.isCertified || proof?.certificateName !== undefined;
  return isProven ? Object.assign({}, rules, proof) : rules;
}

function ignore(): void {}
