// Bounds the memory that connections take before the node has answered their CONNECT: a packet that
// is never finished, a password that waits for its check, a WebSocket message that grows. Counts
// bytes as they arrive; knows nothing of what they mean.
// Invariant: a connection that sends little is never refused, however much others send; and addresses with
// much are refused first, so that another one finds room for a large CONNECT.

import type { EventEmitter } from 'node:events';
import { isOverShare } from '../../broker/accounts.ts';
import { sourceOf } from '../../shared/ip-address.ts';

/** Up to this size a connection is never refused; most CONNECTs are smaller. */
const FREE_BYTES = 2048;
/** Twice the longest CONNECT, since other packets may follow it. */
const CONNECTION_BYTES_MAX = 262_144;
/** Of all connections together, beyond their free bytes. */
const TOTAL_BYTES_MAX = 33_554_432;

export class PreConnectLimit {
  /** Connections that were refused. */
  refused = 0;
  #bytes = 0;
  /** By address, an IPv6 /64 as one. */
  readonly #bySource = new Map<string, number>();

  /**
   * Counts the bytes of a stream that has 'data' events.
   * @param address of the client
   * @param refuse called at most once; has to end the connection
   * @returns a function that ends the count; call it when the CONNECT is answered or the stream closed
   */
  watch(stream: EventEmitter, address: string, refuse: () => void): () => void {
    const source = sourceOf(address);
    let bytes = 0;
    let isOver = false;
    const count = (chunk: Buffer): void => {
      if (isOver) return;
      this.#charge(source, beyondFree(bytes + chunk.length) - beyondFree(bytes));
      bytes += chunk.length;
      if (bytes <= CONNECTION_BYTES_MAX && !this.#isTooMuch(source)) return;
      if (bytes <= FREE_BYTES) return;
      this.refused += 1;
      end();
      refuse();
    };
    const end = (): void => {
      if (isOver) return;
      isOver = true;
      stream.off('data', count);
      this.#charge(source, -beyondFree(bytes));
    };
    stream.on('data', count);
    return end;
  }

  #isTooMuch(source: string): boolean {
    const own = this.#bySource.get(source) ?? 0;
    return this.#bytes > TOTAL_BYTES_MAX || isOverShare(own, this.#bytes, TOTAL_BYTES_MAX);
  }

  #charge(source: string, bytes: number): void {
    if (bytes === 0) return;
    this.#bytes += bytes;
    const own = (this.#bySource.get(source) ?? 0) + bytes;
    if (own === 0) this.#bySource.delete(source);
    else this.#bySource.set(source, own);
  }
}

function beyondFree(bytes: number): number {
  return Math.max(0, bytes - FREE_BYTES);
}
