// Leads one accepted socket through the layers that come before MQTT on its listener: PROXY header,
// TLS, WebSocket. Knows nothing of MQTT and of limits.
// Invariant: all layers together have a bounded time; a socket that does not get through is
// destroyed, and `failed` is called once.

import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { originOf } from '../../broker/log-fields.ts';
import type { ConnectionInfo, ListenerRules } from '../../broker/ports.ts';
import type { LogFields, Logger } from '../../shared/logger.ts';
import type { Listed } from '../../shared/swap-list.ts';
import { parseProxyHeader } from './proxy-header.ts';
import type { TlsAcceptor } from './tls-acceptor.ts';
import type { Transport } from './transport.ts';
import type { WebSocketAcceptor } from './websocket.ts';

/** The layers of a listener; undefined for one that it does not have. */
export interface Layers {
  readonly hasProxyHeader: boolean;
  readonly tls: TlsAcceptor | undefined;
  readonly webSocket: WebSocketAcceptor | undefined;
}

/** A client that got through. */
export interface Established {
  readonly transport: Transport;
  /** The stream just below MQTT or WebSocket, whose bytes can be counted. */
  readonly stream: Duplex;
  /** Address of the client, as a PROXY header gives it. */
  readonly info: ConnectionInfo;
  /** What the client has proven with a certificate; undefined without TLS. */
  readonly proof: Pick<ListenerRules, 'isCertified' | 'certificateName'> | undefined;
}

export interface HandshakeOptions {
  readonly layers: Layers;
  readonly timeoutMs: number;
  readonly log: Logger;
  established(result: Established): void;
  failed(): void;
}

export class Handshake implements Listed {
  place: number | undefined;
  readonly #socket: Socket;
  readonly #options: HandshakeOptions;
  readonly #timer: NodeJS.Timeout;
  #info: ConnectionInfo;
  #proof: Established['proof'];
  #isOver = false;

  constructor(socket: Socket, info: ConnectionInfo, options: HandshakeOptions) {
    this.#socket = socket;
    this.#info = info;
    this.#options = options;
    this.#timer = setTimeout(
      () => socket.destroy(new Error('the handshake took too long')),
      options.timeoutMs,
    );
    socket.on('close', () => {
      if (this.#end()) options.failed();
    });
    if (options.layers.hasProxyHeader) this.#readProxyHeader();
    else this.#startTls();
  }

  /** Ends a handshake that has not succeeded yet. */
  abort(reason: string): void {
    if (!this.#isOver) this.#socket.destroy(new Error(reason));
  }

  /** @returns false if it was over already */
  #end(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    clearTimeout(this.#timer);
    return true;
  }

  #readProxyHeader(): void {
    const socket = this.#socket;
    let held: Buffer = Buffer.alloc(0);
    const read = (): void => {
      const chunk: Buffer | null = socket.read();
      if (chunk === null) return;
      held = Buffer.concat([held, chunk]);
      const header = parseProxyHeader(held);
      if (header === 'incomplete') return;
      socket.off('readable', read);
      if (header === 'invalid') {
        this.#refuse('no valid PROXY header');
        return;
      }
      if (header.bytes < held.length) socket.unshift(held.subarray(header.bytes));
      if (header.source !== undefined) {
        const { address: remoteAddress, port: remotePort } = header.source;
        this.#info = { ...this.#info, remoteAddress, remotePort };
      }
      this.#startTls();
    };
    socket.on('readable', read);
  }

  #refuse(reason: string): void {
    this.#options.log.info('connection refused', { ...this.#origin, reason });
    this.#socket.destroy();
  }

  get #origin(): LogFields {
    return originOf(this.#info);
  }

  #startTls(): void {
    const { tls } = this.#options.layers;
    if (tls === undefined) {
      this.#startWebSocket(this.#socket);
      return;
    }
    tls.accept(this.#socket, this.#origin, (stream, proof) => {
      this.#proof = proof;
      this.#startWebSocket(stream);
    });
  }

  #startWebSocket(stream: Socket): void {
    const { layers, log } = this.#options;
    if (layers.webSocket === undefined) {
      this.#establish(stream, stream);
      return;
    }
    layers.webSocket.accept(stream, {
      opened: (transport) => this.#establish(transport, stream),
      refused: ({ status, reason }) =>
        log.info('WebSocket refused', { ...this.#origin, status, reason }),
    });
  }

  #establish(transport: Transport, stream: Duplex): void {
    if (!this.#end()) return;
    const info = this.#info;
    this.#options.established({ transport, stream, info, proof: this.#proof });
  }
}
