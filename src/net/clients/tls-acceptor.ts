// The TLS of one listener: takes TCP sockets and gives secured ones, with what their client
// certificate proves. New certificates make a new acceptor; open connections keep theirs.

import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { ListenerTls } from '../../shared/listener-config.ts';
import type { LogFields, Logger } from '../../shared/logger.ts';
import type { RevocationLists } from './revocation-lists.ts';
import { certificateFault, handshakeFault } from './tls-faults.ts';
import { commonNameOf, loadTls } from './tls-files.ts';

export interface TlsProof {
  readonly isCertified: boolean;
  readonly certificateName: string | undefined;
}

type Secured = (stream: TLSSocket, proof: TlsProof) => void;

export class TlsAcceptor {
  readonly #config: ListenerTls;
  readonly #log: Logger;
  readonly #server: Server;
  readonly #revocations: RevocationLists | undefined;
  /** Sockets in the handshake, by the addresses of both ends: TLS hides the socket that it wraps. */
  readonly #waiting = new Map<string, Secured>();
  /** Origins for the log. A socket that has ended no longer knows its own. */
  readonly #origins = new WeakMap<Socket, LogFields>();

  /**
   * @param protocol the protocol inside TLS, as ALPN names it
   * @throws TlsFileError
   */
  constructor(config: ListenerTls, protocol: string, log: Logger) {
    this.#config = config;
    this.#log = log;
    const material = loadTls(config);
    for (const warning of material.warnings) log.warn(warning);
    this.#revocations = material.revocations;
    this.#server = createServer({
      ...material.options,
      ALPNProtocols: [protocol],
      SNICallback: (serverName, done) => done(null, material.contextFor(serverName)),
      requestCert: config.clientCertificate !== 'no',
      // #refusalOf decides instead, because it can log the reason.
      rejectUnauthorized: false,
    });
    this.#server.on('secureConnection', (stream) => this.#secured(stream));
    this.#server.on('tlsClientError', (error, stream) => this.#failed(error, stream));
  }

  /**
   * Starts the handshake. Sets no time limit: that is the caller's.
   * @param origin where the client comes from, for the log
   * @param secured called once; never if the handshake fails, and then the socket ends
   */
  accept(socket: Socket, origin: LogFields, secured: Secured): void {
    this.#origins.set(socket, origin);
    const ends = endsOf(socket);
    this.#waiting.set(ends, secured);
    socket.on('close', () => this.#waiting.delete(ends));
    this.#server.emit('connection', socket);
  }

  #failed(error: NodeJS.ErrnoException, stream: TLSSocket): void {
    const socket = belowOf(stream);
    const reason = handshakeFault(socket.errored ?? error);
    const fields = { ...this.#origins.get(socket), reason };
    // Health checks of load balancers connect and leave without sending a byte.
    const isSilent = error.code === 'ECONNRESET' && socket.bytesRead === 0;
    if (isSilent) this.#log.debug('TLS handshake not finished', fields);
    else this.#log.info('TLS handshake failed', fields);
  }

  #secured(stream: TLSSocket): void {
    stream.on('error', () => undefined);
    const ends = endsOf(stream);
    const secured = this.#waiting.get(ends);
    this.#waiting.delete(ends);
    const refusal = this.#refusalOf(stream);
    if (refusal !== undefined) {
      const origin = this.#origins.get(belowOf(stream));
      this.#log.warn('client certificate refused', { ...origin, reason: refusal });
    }
    if (refusal !== undefined || secured === undefined) {
      stream.destroy();
      return;
    }
    const isCertified = stream.authorized;
    const certificateName = this.#config.identityAsUsername ? commonNameOf(stream) : undefined;
    secured(stream, { isCertified, certificateName });
  }

  #refusalOf(stream: TLSSocket): string | undefined {
    const { clientCertificate, identityAsUsername } = this.#config;
    if (clientCertificate === 'no') return undefined;
    const certificate = stream.getPeerX509Certificate();
    if (certificate === undefined) {
      return clientCertificate === 'required' ? 'none was sent' : undefined;
    }
    if (!stream.authorized) return certificateFault(String(stream.authorizationError));
    const revocation = this.#revocations?.faultOf(certificate, Date.now());
    if (revocation !== undefined) return certificateFault(revocation);
    if (identityAsUsername && commonNameOf(stream) === undefined) {
      return 'it has no single Common Name to take the user name from';
    }
    return undefined;
  }
}

/** The socket that TLS wraps; Node has no documented way to it. */
function belowOf(stream: Socket & { readonly _parent?: Socket }): Socket {
  return stream._parent ?? stream;
}

function endsOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}
