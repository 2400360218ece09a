// Opens the transport of a bridge: TCP, TLS, or a WebSocket over either. Certificate files are read for
// each connection, so that a renewed one needs no restart.

import { readFile } from 'node:fs/promises';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { WebSocket } from 'ws';
import type { BridgeAddress } from '../../bridge/options.ts';
import { describeSystemError } from '../../shared/describe-system-error.ts';
import { formatHostPort } from '../../shared/endpoint.ts';
import type { Transport } from '../clients/transport.ts';
import { WebSocketTransport } from '../clients/websocket.ts';

/** How the far side is verified, and how this node proves itself. Paths of PEM files. */
export interface FarTls {
  /** Undefined: the authorities that Node knows. */
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  /** Accept any certificate. */
  readonly insecure: boolean;
  readonly alpn: string | undefined;
}

export interface OpeningTransport {
  /** Called at most once, and never after cancel(). */
  onOpen: (transport: Transport) => void;
  onFailure: (reason: string) => void;
  cancel(): void;
}

/** Begins to connect. Set both callbacks before this turn of the event loop ends. */
export function openTransport(address: BridgeAddress, tls: FarTls): OpeningTransport {
  let isOver = false;
  let isCancelled = false;
  let abandon: (() => void) | undefined;
  const opening: OpeningTransport = {
    onOpen: () => undefined,
    onFailure: () => undefined,
    cancel: () => {
      isOver = isCancelled = true;
      abandon?.();
    },
  };
  const fail = (error: unknown): void => {
    if (isOver) return;
    isOver = true;
    opening.onFailure(describeFault(error));
  };
  const open = (transport: Transport): void => {
    if (isOver) return;
    isOver = true;
    opening.onOpen(transport);
  };
  begin(address, tls, open, fail)
    .then((stop) => {
      abandon = stop;
      if (isCancelled) stop();
    })
    .catch(fail);
  return opening;
}

/** @returns what ends the attempt */
async function begin(
  address: BridgeAddress,
  tls: FarTls,
  open: (transport: Transport) => void,
  fail: (error: unknown) => void,
): Promise<() => void> {
  const { protocol, host, port, path } = address;
  const usesTls = protocol === 'mqtts' || protocol === 'wss';
  const options = usesTls ? await tlsOptions(host, tls) : {};
  if (protocol === 'ws' || protocol === 'wss') {
    return openWebSocket(
      `${protocol}://${formatHostPort({ host, port })}${path}`,
      options,
      open,
      fail,
    );
  }
  const socket: Socket = usesTls
    ? connectTls({ ...options, host, port })
    : connectTcp({ host, port });
  socket.setNoDelay(true);
  socket.on('error', fail);
  socket.on('close', () => fail(new Error('the far side ended the connection')));
  socket.once(usesTls ? 'secureConnect' : 'connect', () => open(socket));
  return () => socket.destroy();
}

function openWebSocket(
  url: string,
  options: ConnectionOptions,
  open: (transport: Transport) => void,
  fail: (error: unknown) => void,
): () => void {
  const webSocket = new WebSocket(url, ['mqtt'], { ...options, perMessageDeflate: false });
  let socket: Socket | undefined;
  webSocket.on('upgrade', (response) => {
    socket = response.socket;
  });
  webSocket.on('error', fail);
  webSocket.on('close', () => fail(new Error('the far side ended the connection')));
  webSocket.on('open', () => {
    if (socket !== undefined) open(new WebSocketTransport(webSocket, socket));
  });
  return () => webSocket.terminate();
}

async function tlsOptions(host: string, tls: FarTls): Promise<ConnectionOptions> {
  const read = async (path: string | undefined): Promise<Buffer | undefined> =>
    path === undefined
      ? undefined
      : readFile(path).catch((error: unknown) => {
          throw new Error(`${path}: ${describeSystemError(error, 'read')}`);
        });
  const [ca, cert, key] = await Promise.all([read(tls.ca), read(tls.cert), read(tls.key)]);
  return {
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(isIP(host) === 0 && { servername: host }),
    ...(tls.alpn !== undefined && { ALPNProtocols: [tls.alpn] }),
    rejectUnauthorized: !tls.insecure,
    minVersion: 'TLSv1.2',
  };
}

/** By Node's code for a certificate that is not accepted. */
const CERTIFICATE_FAULTS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: "its certificate is not valid yet (or this node's clock is wrong)",
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate signed itself: set ca to that certificate',
  SELF_SIGNED_CERT_IN_CHAIN: 'the authority of its certificate is not known: set ca',
  UNABLE_TO_GET_ISSUER_CERT: 'the authority of its certificate is not known: set ca',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'the authority of its certificate is not known: set ca',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the authority of its certificate is not known: set ca',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host name',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS on that port',
};

function describeFault(error: unknown): string {
  const { code = '' } = error as NodeJS.ErrnoException;
  return CERTIFICATE_FAULTS[code] ?? describeSystemError(error, 'network');
}
