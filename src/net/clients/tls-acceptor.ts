// One listener's TLS: takes TCP sockets, gives secured ones with the user name that their client
// certificate proves. New certificates are a new gate; connections that stand keep theirs.

import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { ListenerTls } from '../../shared/listener-config.ts';
import type { LogFields, Logger } from '../../shared/logger.ts';
import { certificateFault, handshakeFault } from './tls-faults.ts';
import { commonNameOf, loadTls } from './tls-files.ts';

type Secured = (
  stream: TLSSocket,
  proof: { readonly isCertified: boolean; readonly certificateName: string | undefined },
) => void;

export class TlsAcceptor {
  readonly #rules: ListenerTls;
  readonly #log: Logger;
  readonly #server: Server;
  /** Sockets in the handshake, by the addresses of both ends: TLS hides which socket it wraps. */
  readonly #waiting = new Map<string, Secured>();
  /** Where each comes from. One that has ended knows that no more. */
  readonly #origins = new WeakMap<Socket, LogFields>();

  /**
   * @param protocol what is spoken inside, in ALPN's terms
   * @throws TlsFileError
   */
  constructor(rules: ListenerTls, protocol: string, log: Logger) {
    this.#rules = rules;
    this.#log = log;
    const material = loadTls(rules);
    for (const warning of material.warnings) log.warn(warning);
    this.#server = createServer({
      ...material.options,
      ALPNProtocols: [protocol],
      SNICallback: (serverName, done) => done(null, material.contextFor(serverName)),
      requestCert: rules.clientCertificate !== 'no',
      // Judged in #refusalOf, where it can be said why.
      rejectUnauthorized: false,
    });
    this.#server.on('secureConnection', (stream) => this.#secured(stream));
    this.#server.on('tlsClientError', (error: NodeJS.ErrnoException, stream) => {
      const socket = belowOf(stream);
      const reason = handshakeFault(socket.errored ?? error);
      const fields = { ...this.#origins.get(socket), reason };
      // Health checks of balancers come and go without a word.
      const isSilent = error.code === 'ECONNRESET' && socket.bytesRead === 0;
      if (isSilent) log.debug('TLS handshake not finished', fields);
      else log.info('TLS handshake failed', fields);
    });
  }

  /**
   * Shakes hands with a socket from `origin`; `secured` is called once, or never where that fails and the socket ends. The gate
   * keeps no time: whoever hands a socket in bounds it.
   */
  take(socket: Socket, origin: LogFields, secured: Secured): void {
    this.#origins.set(socket, origin);
    const ends = endsOf(socket);
    this.#waiting.set(ends, secured);
    socket.on('close', () => this.#waiting.delete(ends));
    this.#server.emit('connection', socket);
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
    const certificateName = this.#rules.identityAsUsername ? commonNameOf(stream) : undefined;
    secured(stream, { isCertified, certificateName });
  }

  #refusalOf(stream: TLSSocket): string | undefined {
    const { clientCertificate, identityAsUsername } = this.#rules;
    if (clientCertificate === 'no') return undefined;
    if (stream.getPeerX509Certificate() === undefined) {
      return clientCertificate === 'required' ? 'none was sent' : undefined;
    }
    if (!stream.authorized) return certificateFault(String(stream.authorizationError));
    if (identityAsUsername && commonNameOf(stream) === undefined) {
      return 'it has no single Common Name to take the user name from';
    }
    return undefined;
  }
}

/** The socket that TLS wraps; Node gives no other way to it. */
function belowOf(stream: Socket & { readonly _parent?: Socket }): Socket {
  return stream._parent ?? stream;
}

function endsOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}
