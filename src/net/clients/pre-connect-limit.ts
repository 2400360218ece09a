// Bounds the memory that connections take before the node has answered their CONNECT: a packet that
// is never finished, a password that waits for its check, a WebSocket message that grows. Counts
// bytes as they arrive; knows nothing of what they mean.
// Invariant: a connection that sends little is never refused, however much others send.

import type { EventEmitter } from 'node:events';

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

  /**
   * Counts the bytes of a stream that has 'data' events.
   * @param refuse called at most once; has to end the connection
   * @returns a function that ends the count; call it when the CONNECT is answered or the stream closed
   */
  watch(stream: EventEmitter, refuse: () => void): () => void {
    let bytes = 0;
    let isOver = false;
    const count = (chunk: Buffer): void => {
      if (isOver) return;
      this.#bytes += beyondFree(bytes + chunk.length) - beyondFree(bytes);
      bytes += chunk.length;
      const isTooMuch = bytes > CONNECTION_BYTES_MAX || this.#bytes > TOTAL_BYTES_MAX;
      if (bytes <= FREE_BYTES || !isTooMuch) return;
      this.refused += 1;
      end();
      refuse();
    };
    const end = (): void => {
      if (isOver) return;
      isOver = true;
      stream.off('data', count);
      this.#bytes -= beyondFree(bytes);
    };
    stream.on('data', count);
    return end;
  }
}

function beyondFree(bytes: number): number {
  return Math.max(0, bytes - FREE_BYTES);
}
