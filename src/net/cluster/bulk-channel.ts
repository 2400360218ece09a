// The bulk channel on TCP: TLS 1.3 with a pre-shared key that comes from the cluster token, on the number of
// the sync port. Gives the core in src/sync its connections, clock and timer. Invariants: after listen()
// no error is thrown; a stranger costs one handshake for five seconds, and few at a time.

import type { Server as NetServer, Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { connect, createServer, type Server, type TLSSocket } from 'node:tls';
import type { ValuesOf } from '../../metrics/metric-list.ts';
import { describeSystemError } from '../../shared/describe-system-error.ts';
import type { PresharedKeys } from '../../shared/key-ring.ts';
import { LogLimiter } from '../../shared/log-limiter.ts';
import type { Logger } from '../../shared/logger.ts';
import { mostCommon } from '../../shared/most-common.ts';
import type { Peer } from '../../shared/peer.ts';
import type { BulkEvents, BulkStream } from '../../sync/bulk-link.ts';
import { BulkNode, type BulkOptions } from '../../sync/bulk-node.ts';
import { ListenError } from '../listen-error.ts';

const HANDSHAKE_MS = 5000;
/** Connections in the handshake; with one more, the address with the most loses its oldest one. */
const HANDSHAKES_MAX = 64;
const KEEP_ALIVE_MS = 15_000;
const TICK_MS = 250;
const TLS = {
  // The only version and cipher whose keys are both pre-shared and new for each connection.
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  ciphers: 'TLS_AES_128_GCM_SHA256',
} as const;

export interface BulkChannelOptions extends Omit<BulkOptions, 'dial' | 'now'> {
  readonly keys: PresharedKeys;
}

export class BulkChannel {
  readonly node: BulkNode;
  readonly #server: Server;
  readonly #log: Logger;
  readonly #limiter = new LogLimiter();
  /** With the address of each, the oldest first. */
  readonly #handshakes = new Map<Socket, string>();
  #keys: PresharedKeys;
  readonly #timer: NodeJS.Timeout;
  #isOpen = true;

  constructor(options: BulkChannelOptions) {
    this.#keys = options.keys;
    this.#log = options.log;
    this.node = new BulkNode({
      ...options,
      now: performance.now(),
      dial: (peer, events) => this.#dial(peer, events),
    });
    this.#timer = setInterval(() => this.node.advance(performance.now()), TICK_MS);
    this.#timer.unref();
    this.#server = createServer({
      ...TLS,
      handshakeTimeout: HANDSHAKE_MS,
      pskCallback: (_socket, identity) => this.#keys.accepted.get(identity) ?? null,
    });
    this.#server.on('connection', (socket) => this.#arrived(socket));
    this.#server.on('secureConnection', (socket) => this.#accept(socket));
    this.#server.on('tlsClientError', (error, socket) => this.#refused(error, socket));
  }

  /**
   * Rejects with a ListenError if the port can't be opened.
   * @param bind IP literal; undefined: every address of the machine
   */
  async listen(port: number, bind: string | undefined): Promise<void> {
    await listen(this.#server, port, bind);
    this.#server.on('error', (error) => this.#warn('bulk channel failed', error));
  }

  /** Replaces the list of peers that are online. */
  setPeers(peers: readonly Peer[]): void {
    this.node.setPeers(peers, performance.now());
    this.node.advance(performance.now());
  }

  /** Uses the first of these keys for new connections, and accepts all of them. */
  rekey(keys: PresharedKeys): void {
    this.#keys = keys;
  }

  metrics(): ValuesOf<'bulk'> {
    const { counters, connected, queuedBytes } = this.node;
    return { ...counters, connected, queuedBytes };
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    clearInterval(this.#timer);
    this.node.close();
    for (const socket of this.#handshakes.keys()) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #dial(peer: Peer, events: BulkEvents): BulkStream {
    const { address, port } = peer.endpoint;
    const { identity, key } = this.#keys.own;
    const socket = connect({
      ...TLS,
      host: address,
      port,
      pskCallback: () => ({ identity, psk: key }),
      // Both sides prove that they have the key; there are no certificates.
      checkServerIdentity: () => undefined,
    });
    const timer = setTimeout(() => socket.destroy(new Error('no answer')), HANDSHAKE_MS);
    timer.unref();
    socket.once('secureConnect', () => {
      clearTimeout(timer);
      events.opened(performance.now());
    });
    socket.once('close', () => clearTimeout(timer));
    return this.#attach(socket, events);
  }

  #arrived(socket: Socket): void {
    if (!this.#isOpen) {
      socket.destroy();
      return;
    }
    if (this.#handshakes.size >= HANDSHAKES_MAX) this.#makeRoom();
    this.#handshakes.set(socket, socket.remoteAddress ?? '');
    socket.once('close', () => this.#handshakes.delete(socket));
    socket.on('error', () => undefined);
  }

  /** A stranger that opens many connections closes its own ones, not those of nodes. */
  #makeRoom(): void {
    const busiest = mostCommon(this.#handshakes.values());
    for (const [socket, from] of this.#handshakes) {
      if (from !== busiest) continue;
      this.node.counters.refusedConnections += 1;
      this.#handshakes.delete(socket);
      socket.destroy();
      return;
    }
  }

  #accept(socket: TLSSocket): void {
    for (const one of this.#handshakes.keys()) {
      if (one.remotePort === socket.remotePort && one.remoteAddress === socket.remoteAddress) {
        this.#handshakes.delete(one);
      }
    }
    let events: BulkEvents | undefined;
    const stream = this.#attach(socket, {
      opened: () => undefined,
      received: (chunk, now) => events?.received(chunk, now),
      drained: () => undefined,
      closed: (reason, now) => events?.closed(reason, now),
    });
    events = this.node.accept(stream, performance.now());
  }

  #attach(socket: TLSSocket, events: BulkEvents): BulkStream {
    let isClosed = false;
    let reason = 'the connection has ended';
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.on('data', (chunk: Buffer) => {
      if (!isClosed) events.received(chunk, performance.now());
    });
    socket.on('drain', () => {
      if (!isClosed) events.drained(performance.now());
    });
    socket.on('error', (error) => {
      reason = describeSystemError(error, 'network');
    });
    socket.on('close', () => {
      if (!isClosed) events.closed(reason, performance.now());
      isClosed = true;
    });
    return {
      write: (bytes) => socket.write(bytes),
      close: () => {
        isClosed = true;
        socket.destroy();
      },
    };
  }

  #refused(error: Error, socket: TLSSocket): void {
    this.node.counters.refusedConnections += 1;
    this.#warn('connection from another node refused', error, socket.remoteAddress);
    socket.destroy();
  }

  #warn(event: string, error: Error, address?: string): void {
    const total = this.#limiter.admit(event, performance.now());
    if (total === 0) return;
    const hint = 'is the cluster token the same?';
    const reason = describeSystemError(error, 'network');
    this.#log.warn(event, { address, reason, total, ...(address && { hint }) });
  }
}

function listen(server: NetServer, port: number, bind: string | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new ListenError({ bind, port, place: '-csp' }, error)));
    server.listen({ port, host: bind, ipv6Only: false }, () => {
      server.removeAllListeners('error');
      resolve();
    });
  });
}
