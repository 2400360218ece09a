// The broker as a program sees it: checks each argument, brings the time into the core, and turns what
// the core answers into the API's own types. createBroker() and createNode() supply the parts.
// Invariant: nothing that a program passes reaches the core unchecked.

import { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { Broker } from '../broker/broker.ts';
import type { ListenerRules } from '../broker/ports.ts';
import { Connection } from '../net/clients/connection.ts';
import { flushQueue } from '../net/clients/flush-queue.ts';
import { PreConnectLimit } from '../net/clients/pre-connect-limit.ts';
import { StreamTransport } from '../net/clients/stream-transport.ts';
import { plainAddress } from '../shared/endpoint.ts';
import type * as api from './api.ts';
import { ShoalError } from './errors.ts';
import { readMessage } from './read-message.ts';

/** At close(), for clients to take their last bytes. */
const CLIENTS_LEAVE_MS_MAX = 2_000;

export interface EmbeddedParts {
  readonly broker: Broker;
  /** @returns undefined for a name that no listener has */
  readonly findListener: (name: string | undefined) => ListenerRules | undefined;
  /** Closes what the broker does not own: journal, listeners, cluster. */
  readonly close: () => Promise<void>;
}

export class EmbeddedBroker implements api.Broker {
  readonly #parts: EmbeddedParts;
  readonly #preConnectLimit = new PreConnectLimit();
  readonly #streams = new Set<Duplex>();
  #closing: Promise<void> | undefined;

  constructor(parts: EmbeddedParts) {
    this.#parts = parts;
  }

  attach(stream: Duplex, info: api.AttachInfo = {}): void {
    const { broker } = this.#parts;
    if (!isByteStream(stream)) {
      throw new ShoalError('INVALID_ARGUMENT', 'stream must be a duplex stream of bytes');
    }
    const listener = this.#parts.findListener(info.listener);
    if (listener === undefined) {
      throw new ShoalError('INVALID_ARGUMENT', `no listener is called '${info.listener}'`);
    }
    if (this.#closing !== undefined || stream.destroyed || stream.readableEnded) {
      stream.on('error', () => undefined);
      stream.destroy();
      return;
    }
    this.#streams.add(stream);
    const isSocket = stream instanceof Socket;
    const transport = isSocket ? stream : new StreamTransport(stream);
    transport.on('close', () => this.#streams.delete(stream));
    const connection = new Connection(transport, broker, {
      remoteAddress: info.address ?? (isSocket ? plainAddress(stream.remoteAddress ?? '') : ''),
      remotePort: info.port ?? (isSocket ? stream.remotePort : undefined),
      listenerAddress: listener.name,
      listener,
    });
    connection.limitBeforeConnect(this.#preConnectLimit, transport);
  }

  async publish(message: api.PublishMessage): Promise<api.PublishResult> {
    this.#checkOpen();
    const { topic, content } = readMessage(message);
    const { broker } = this.#parts;
    const begin = flushQueue.size;
    const result = broker.administration.publish(topic, content, performance.now());
    flushQueue.endGroup(begin);
    await this.#whenStored();
    return {
      matched: result.isMatched,
      refused: result.isRefused ? 'all' : result.isPartlyRefused ? 'some' : 'none',
      retained: content.retain && content.payload.length > 0 && !result.isNotRetained,
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#parts.broker.shutdown(performance.now());
    const left = Promise.all([...this.#streams].map(closed));
    const stop = new AbortController();
    const late = delay(CLIENTS_LEAVE_MS_MAX, undefined, { signal: stop.signal });
    await Promise.race([left, late]);
    stop.abort();
    late.catch(() => undefined);
    for (const stream of this.#streams) stream.destroy();
    await this.#parts.close();
  }

  /** Resolves when everything up to now is on the disk; at once without `data`. */
  #whenStored(): Promise<void> {
    const { store } = this.#parts.broker.context;
    if (!store.durable) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const refused = (): void => reject(new ShoalError('NOT_STORED', 'the disk takes no changes'));
      const durability = store.whenDurable(() => resolve(), refused);
      if (durability === 'durable') resolve();
      else if (durability === 'refused') refused();
    });
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new ShoalError('CLOSED', 'the broker is closed');
  }
}

function isByteStream(stream: unknown): stream is Duplex {
  const isDuplex =
    stream instanceof Duplex ||
    ['write', 'pipe', 'pause', 'resume', 'cork'].every(
      (name) => typeof (stream as Record<string, unknown> | undefined)?.[name] === 'function',
    );
  return isDuplex && !(stream as Duplex).readableObjectMode;
}

function closed(stream: Duplex): Promise<void> {
  return new Promise((resolve) => stream.once('close', resolve));
}
