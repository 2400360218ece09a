// Bounds what connections make the node hold before it has answered their CONNECT: a packet that is
// never finished, a password that waits for its check, a WebSocket message that grows. Counts bytes as
// they come; knows nothing of what they mean.
// Invariant: whoever sends little is never refused, however much the others send.

import type { EventEmitter } from 'node:events';

/** Nobody is refused for these: most CONNECTs have fewer. */
const FREE_BYTES = 2048;
/** The longest CONNECT, twice: something may have come behind it. */
const CONNECTION_BYTES_MAX = 262_144;
/** Of all connections together, beyond what is free. */
const TOTAL_BYTES_MAX = 33_554_432;

export class PreConnectLimit {
  /** Connections that were refused. */
  refused = 0;
  #bytes = 0;

  /**
   * Counts what the stream brings until the returned function is called.
   * @param refuse has to end the connection
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
