// What a Connection needs of the stream that carries its bytes. TCP and TLS sockets have this
// interface already; websocket.ts gives it to a WebSocket. Knows nothing of MQTT.

export interface Transport {
  /** False as soon as nothing more can be sent. */
  readonly writable: boolean;
  /** Bytes that were written and that the system has not taken yet. */
  readonly writableLength: number;
  /** True if it holds a message back until it is complete: then it has 'unfinished' events. */
  readonly holdsMessages?: boolean;
  /** Bytes so far; undefined where nothing counts them. */
  readonly bytesRead?: number;
  readonly bytesWritten?: number;
  /** The caller must not change the bytes afterwards. */
  write(bytes: Buffer): unknown;
  /** Writes between cork() and uncork() are gathered and leave together. */
  cork(): void;
  uncork(): void;
  pause(): unknown;
  resume(): unknown;
  /** Sends what was written, then ends. */
  end(): unknown;
  /** Ends at once. */
  destroy(): unknown;
  on(event: 'data', listener: (chunk: Buffer) => void): unknown;
  /** Bytes of what has begun and is not handed on yet have changed. */
  on(event: 'unfinished', listener: (bytes: number) => void): unknown;
  /**
   * 'end': the client sends nothing more. Only where our side does not end by itself then.
   * 'error': the code that makes the transport listens to it; 'close' follows every error.
   */
  on(event: 'drain' | 'end' | 'error' | 'close', listener: () => void): unknown;
}
