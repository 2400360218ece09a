// What a Connection needs of the thing that carries its bytes. A TCP or TLS socket is one as it
// stands; websocket.ts makes one of a WebSocket. Knows nothing of MQTT.

export interface Transport {
  /** False as soon as nothing can be sent any more. */
  readonly writable: boolean;
  /** Bytes that were written and that the system has not taken yet. */
  readonly writableLength: number;
  /** The bytes must not change afterwards. */
  write(bytes: Buffer): unknown;
  /** Between these two, writes are gathered and leave together. */
  cork(): void;
  uncork(): void;
  pause(): unknown;
  resume(): unknown;
  /** Sends what was written, then ends. */
  end(): unknown;
  /** Ends at once. */
  destroy(): unknown;
  on(event: 'data', listener: (chunk: Buffer) => void): unknown;
  on(event: 'drain' | 'error' | 'close', listener: () => void): unknown;
}
