// One connection of a bridge to its far side, as the core's FarOutbox. Gathers what a turn of the event
// loop queues and writes it once at its end, like a client's connection.

import { performance } from 'node:perf_hooks';
import type { Bridge } from '../../bridge/bridge.ts';
import type { BridgeAddress } from '../../bridge/options.ts';
import type { FarOutbox } from '../../bridge/ports.ts';
import type { Transport } from '../clients/transport.ts';
import { WriteBuffer } from '../clients/write-buffer.ts';
import { describeFarFault, ENDED_BY_FAR_SIDE } from './far-faults.ts';
import { type FarTls, type OpeningTransport, openTransport } from './far-transport.ts';

/** Beyond this many untaken bytes the session holds its messages back. */
const FAR_CONGESTED_BYTES = 524_288;
/** A connection that is ended has this long to take its last bytes. */
const FAR_LINGER_MS = 2_000;

export class FarConnection implements FarOutbox {
  congested = false;
  readonly #bridge: Bridge;
  readonly #opening: OpeningTransport;
  #transport: Transport | undefined;
  #pending: WriteBuffer | undefined;
  #isDirty = false;
  #isClosed = false;

  constructor(bridge: Bridge, address: BridgeAddress, tls: FarTls, packetBytesMax: number) {
    this.#bridge = bridge;
    this.#opening = openTransport(address, tls, packetBytesMax);
    this.#opening.onOpen = (transport) => this.#opened(transport);
    this.#opening.onFailure = ({ reason }) => this.#ended(reason);
  }

  #opened(transport: Transport): void {
    this.#transport = transport;
    transport.on('data', (chunk) => {
      if (!this.#isClosed) this.#bridge.farReceived(chunk, performance.now());
    });
    transport.on('drain', () => this.#drained());
    let reason = ENDED_BY_FAR_SIDE;
    transport.on('error', (error?: unknown) => {
      if (error !== undefined) reason = describeFarFault(error).reason;
    });
    transport.on('close', () => this.#ended(reason));
    this.#bridge.farOpened(performance.now());
  }

  #ended(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#bridge.farClosed(reason, performance.now());
  }

  write(buffer: Buffer, start: number, end: number): void {
    if (this.#isClosed) return;
    this.#pending ??= WriteBuffer.take();
    this.#pending.add(buffer, start, end);
    if (this.#pending.bytes > FAR_CONGESTED_BYTES) this.congested = true;
    if (this.#isDirty) return;
    this.#isDirty = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#isDirty = false;
    const transport = this.#transport;
    const pending = this.#pending;
    this.#pending = undefined;
    if (transport?.writable) pending?.writeTo(transport);
    pending?.release();
    if (this.#isClosed) {
      this.#finish();
      return;
    }
    const untaken = transport?.writableLength ?? 0;
    if (untaken > FAR_CONGESTED_BYTES) this.congested = true;
    else this.#drained();
  }

  #drained(): void {
    if (!this.congested || this.#isClosed) return;
    this.congested = false;
    this.#bridge.farDrained(performance.now());
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (!this.#isDirty) this.#finish();
  }

  #finish(): void {
    const transport = this.#transport;
    if (transport === undefined) {
      this.#opening.cancel();
      return;
    }
    transport.resume();
    transport.end();
    setTimeout(() => transport.destroy(), FAR_LINGER_MS).unref();
  }

  pauseReading(): void {
    this.#transport?.pause();
  }

  resumeReading(): void {
    this.#transport?.resume();
  }
}
