// One byte stream to a broker, over TCP, TLS or WebSocket, for the MQTT client of the commands. Knows no
// MQTT but the subprotocol's name. Invariant: after close or a fault exactly one onClose comes.

import { readFileSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { WebSocket } from 'ws';
import { describeSystemError } from '../../shared/describe-system-error.ts';
import { formatHostPort } from '../../shared/endpoint.ts';
import type { ListenerProtocol } from '../../shared/listener-config.ts';
import { UsageError } from '../exit-codes.ts';

/** Bytes that may wait for the network before a sender has to wait. */
const WAITING_BYTES_MAX = 1_048_576;

/** Node's codes for a certificate whose authority is not among those in use. */
const UNTRUSTED: readonly string[] = [
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
];

export interface BrokerAddress {
  readonly protocol: ListenerProtocol;
  readonly host: string;
  readonly port: number;
  /** Of a WebSocket, `/mqtt`. */
  readonly path: string;
  readonly tls: TlsFlags;
}

export interface TlsFlags {
  readonly cafile: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  /** The server's certificate is not checked. */
  readonly insecure: boolean;
}

export interface TransportEvents {
  onOpen(): void;
  onData(bytes: Buffer): void;
  /** @param reason undefined if the other side closed without an error */
  onClose(reason: string | undefined): void;
  /** What waited for the network has left. */
  onDrain(): void;
}

export interface Transport {
  /** True while so much waits that the sender should wait too. */
  readonly isFull: boolean;
  write(bytes: Buffer): void;
  /** Closes after everything written has left. */
  end(): void;
}

export function formatAddress({ protocol, host, port, path }: BrokerAddress): string {
  const isWebSocket = protocol === 'ws' || protocol === 'wss';
  return `${protocol}://${formatHostPort({ host, port })}${isWebSocket ? path : ''}`;
}

/** @throws UsageError if a file of TLS cannot be read */
export function openTransport(address: BrokerAddress, events: TransportEvents): Transport {
  const { protocol } = address;
  if (protocol === 'ws' || protocol === 'wss') return openWebSocket(address, events);
  const { host, port } = address;
  const tls = protocol === 'tls' ? tlsOptions(address) : undefined;
  const socket: Socket = tls ? connectTls({ host, port, ...tls }) : connectTcp({ host, port });
  socket.setNoDelay(true);
  let fault: string | undefined;
  socket.on(tls ? 'secureConnect' : 'connect', () => events.onOpen());
  socket.on('data', (bytes) => events.onData(bytes));
  socket.on('drain', () => events.onDrain());
  socket.on('error', (error) => {
    fault ??= describeFault(error);
  });
  socket.on('close', () => events.onClose(fault));
  return {
    get isFull() {
      return socket.writableLength > WAITING_BYTES_MAX;
    },
    write: (bytes) => {
      socket.write(bytes);
    },
    end: () => {
      socket.end();
    },
  };
}

function describeFault(error: NodeJS.ErrnoException): string {
  const text = describeSystemError(error, 'network');
  return UNTRUSTED.includes(error.code ?? '')
    ? `${text}; -cafile=FILE names the authority that signed it`
    : text;
}

function openWebSocket(address: BrokerAddress, events: TransportEvents): Transport {
  const options = address.protocol === 'wss' ? tlsOptions(address) : {};
  const socket = new WebSocket(formatAddress(address), ['mqtt'], {
    ...options,
    perMessageDeflate: false,
  });
  let fault: string | undefined;
  socket.on('open', () => events.onOpen());
  socket.on('message', (data) => {
    events.onData(Buffer.isBuffer(data) ? data : Buffer.concat(data as Buffer[]));
  });
  socket.on('error', (error) => {
    fault ??= describeFault(error);
  });
  socket.on('close', () => events.onClose(fault));
  return {
    get isFull() {
      return socket.bufferedAmount > WAITING_BYTES_MAX;
    },
    write: (bytes) => {
      socket.send(bytes, () => {
        if (socket.bufferedAmount === 0) events.onDrain();
      });
    },
    end: () => socket.close(),
  };
}

function tlsOptions({ host, tls }: BrokerAddress): ConnectionOptions {
  const read = (flag: string, path: string): Buffer => {
    try {
      return readFileSync(path);
    } catch (error) {
      throw new UsageError(`-${flag}=${path}: ${describeSystemError(error, 'read')}`);
    }
  };
  const { cafile, cert, key, insecure } = tls;
  return {
    // An address is no name of a certificate's SNI.
    servername: /^[\d.]+$|:/.test(host) ? '' : host,
    rejectUnauthorized: !insecure,
    ...(cafile !== undefined && { ca: read('cafile', cafile) }),
    ...(cert !== undefined && { cert: read('cert', cert) }),
    ...(key !== undefined && { key: read('key', key) }),
  };
}
