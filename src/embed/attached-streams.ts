// The streams that a program has attached: makes connections of them, and ends them at close().
// Invariant: from attach() on, whatever happens to a stream throws nothing at the program.

import { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { Broker } from '../broker/broker.ts';
import type { ListenerRules } from '../broker/ports.ts';
import { Connection } from '../net/clients/connection.ts';
import { PreConnectLimit } from '../net/clients/pre-connect-limit.ts';
import { StreamTransport } from '../net/clients/stream-transport.ts';
import { plainAddress } from '../shared/endpoint.ts';
import type * as api from './api.ts';

/** At close(), for clients to take their last bytes. */
const CLIENTS_LEAVE_MS_MAX = 2_000;
/** For the other end of a stream that is no socket, after our last byte. */
const OTHER_END_MS_MAX = 100;

export class AttachedStreams {
  readonly #broker: Broker;
  readonly #preConnectLimit = new PreConnectLimit();
  readonly #streams = new Set<Duplex>();
  #lastClosed: (() => void) | undefined;

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  attach(stream: Duplex, info: api.AttachInfo, listener: ListenerRules): void {
    if (stream.destroyed || stream.readableEnded || stream.writableEnded) {
      this.refuse(stream);
      return;
    }
    this.#streams.add(stream);
    const isSocket = stream instanceof Socket;
    const transport = isSocket ? stream : new StreamTransport(stream);
    // A StreamTransport does so by itself.
    if (isSocket) stream.on('error', () => undefined);
    transport.on('close', () => this.#closed(stream));
    const connection = new Connection(transport, this.#broker, {
      remoteAddress: info.address ?? (isSocket ? plainAddress(stream.remoteAddress ?? '') : ''),
      remotePort: info.port ?? (isSocket ? stream.remotePort : undefined),
      listenerAddress: listener.name,
      listener,
    });
    connection.limitBeforeConnect(this.#preConnectLimit, transport);
  }

  /** Ends a stream that can't be served. */
  refuse(stream: Duplex): void {
    stream.on('error', () => undefined);
    stream.destroy();
  }

  #closed(stream: Duplex): void {
    this.#streams.delete(stream);
    if (this.#streams.size === 0) this.#lastClosed?.();
  }

  /** The broker has ended all connections: waits until the clients have left, then ends the streams. */
  async close(): Promise<void> {
    for (const stream of this.#streams) if (!(stream instanceof Socket)) endOnceWritten(stream);
    if (this.#streams.size === 0) return;
    const stop = new AbortController();
    const left = new Promise<void>((resolve) => {
      this.#lastClosed = resolve;
    });
    const late = delay(CLIENTS_LEAVE_MS_MAX, undefined, { signal: stop.signal });
    await Promise.race([left, late.catch(() => undefined)]);
    stop.abort();
    for (const stream of this.#streams) stream.destroy();
  }
}

/**
 * A socket has to read on after its last byte, or the system resets it; other streams need not. But the
 * other end may answer with its own end, and is spared the error of a stream that is cut.
 */
function endOnceWritten(stream: Duplex): void {
  const end = (): void => {
    const timer = setTimeout(() => stream.destroy(), OTHER_END_MS_MAX);
    stream.once('close', () => clearTimeout(timer));
  };
  if (stream.writableFinished) end();
  else stream.once('finish', end);
}

/** Also a stream of another library, which is no instance of Node's class. */
export function isByteStream(stream: unknown): stream is Duplex {
  const isDuplex =
    stream instanceof Duplex ||
    ['on', 'write', 'end', 'destroy', 'pause', 'resume', 'cork', 'uncork'].every(
      (name) =>
        typeof (stream as Record<string, unknown> | undefined | null)?.[name] === 'function',
    );
  return isDuplex && !(stream as Duplex).readableObjectMode;
}
