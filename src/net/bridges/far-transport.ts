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
import { WebSocketTransport, webSocketOptions } from '../clients/websocket.ts';
import { describeFarFault, ENDED_BY_FAR_SIDE, type FarFault } from './far-faults.ts';

/** A far side may put several small packets into one message. */
const MESSAGE_ROOM_BYTES = 1_048_576;
const ENDED_IN_HANDSHAKE: FarFault = {
  step: 'tls',
  reason: 'it ended the connection in the TLS handshake',
};

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
  onFailure: (fault: FarFault) => void;
  cancel(): void;
}

/**
 * Begins to connect. Set both callbacks before this turn of the event loop ends.
 * @param packetBytesMax of what the far side may send: it bounds the messages of a WebSocket
 */
export function openTransport(
  address: BridgeAddress,
  tls: FarTls,
  packetBytesMax: number,
): OpeningTransport {
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
  const fail: Fail = (fault) => {
    if (isOver) return;
    isOver = true;
    opening.onFailure(fault);
  };
  const open = (transport: Transport): void => {
    if (isOver) return;
    isOver = true;
    opening.onOpen(transport);
  };
  begin(address, tls, packetBytesMax, open, fail)
    .then((stop) => {
      abandon = stop;
      if (isCancelled) stop();
    })
    // A certificate or key that can't be read, or is none.
    .catch((error: unknown) => fail({ step: 'files', reason: (error as Error).message }));
  return opening;
}

type Open = (transport: Transport) => void;
type Fail = (fault: FarFault) => void;

/** @returns what ends the attempt */
async function begin(
  address: BridgeAddress,
  tls: FarTls,
  packetBytesMax: number,
  open: Open,
  fail: Fail,
): Promise<() => void> {
  const { protocol, host, port, path } = address;
  const usesTls = protocol === 'mqtts' || protocol === 'wss';
  const options = usesTls ? await tlsOptions(host, tls) : {};
  if (protocol === 'ws' || protocol === 'wss') {
    return openWebSocket(
      `${protocol}://${formatHostPort({ host, port })}${path}`,
      options,
      packetBytesMax,
      open,
      fail,
    );
  }
  const socket: Socket = usesTls
    ? connectTls({ ...options, host, port })
    : connectTcp({ host, port });
  socket.setNoDelay(true);
  let isReached = false;
  socket.once('connect', () => {
    isReached = true;
  });
  const end = (fault: FarFault): void =>
    fail(isReached && fault.step === 'reach' ? ENDED_IN_HANDSHAKE : fault);
  socket.on('error', (error) => end(describeFarFault(error)));
  socket.on('close', () => end({ step: 'reach', reason: ENDED_BY_FAR_SIDE }));
  socket.once(usesTls ? 'secureConnect' : 'connect', () => open(socket));
  return () => socket.destroy();
}

function openWebSocket(
  url: string,
  tls: ConnectionOptions,
  packetBytesMax: number,
  open: Open,
  fail: Fail,
): () => void {
  const options = { ...tls, ...webSocketOptions(packetBytesMax + MESSAGE_ROOM_BYTES) };
  const webSocket = new WebSocket(url, ['mqtt'], options);
  let socket: Socket | undefined;
  webSocket.on('upgrade', (response) => {
    socket = response.socket;
  });
  webSocket.on('error', (error) => fail(describeFarFault(error)));
  webSocket.on('close', () => fail({ step: 'websocket', reason: ENDED_BY_FAR_SIDE }));
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
