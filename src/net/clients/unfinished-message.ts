// Counts what a WebSocket message that has begun makes the node keep: ws holds its frames until it is complete.
// Knows no frames, only bytes that arrived and messages that were complete.
// Invariant: after each read `bytes` is not less than what is held, but for frames that are smaller than usual.

/** Of each read: Node's buffer and its entry in the list of ws. */
const READ_BYTES = 300;
/** Of each frame, which may have a payload of one byte and a header of six. */
const FRAME_BYTES = 120;
const FRAME_BYTES_MIN = 7;

export class UnfinishedMessage {
  readonly #framesMax: number;
  #held = 0;
  #reads = 0;
  /** Bytes of the frames that were complete in this read. */
  #consumed = 0;
  #hasMessage = false;

  /** @param framesMax of one message */
  constructor(framesMax: number) {
    this.#framesMax = framesMax;
  }

  /** Memory of the message that has begun, bytes. */
  get bytes(): number {
    if (this.#held === 0) return 0;
    const frames = Math.min(this.#framesMax, Math.ceil(this.#held / FRAME_BYTES_MIN));
    return this.#held + READ_BYTES * this.#reads + FRAME_BYTES * frames;
  }

  /** A message was complete. To be called before arrived(). */
  complete(payloadBytes: number): void {
    this.#consumed += frameBytes(payloadBytes);
    this.#hasMessage = true;
  }

  /** A ping or pong, which belongs to no message. */
  control(payloadBytes: number): void {
    this.#consumed += frameBytes(payloadBytes);
  }

  /** Bytes were read, and all that was complete in them was reported. */
  arrived(bytes: number): void {
    const held = Math.max(0, this.#held + bytes - this.#consumed);
    // After the end of a message only the rest of this read can be held.
    this.#held = this.#hasMessage ? Math.min(held, bytes) : held;
    this.#reads = this.#hasMessage ? 1 : this.#reads + 1;
    this.#consumed = 0;
    this.#hasMessage = false;
    if (this.#held === 0) this.#reads = 0;
  }
}

/** Of one masked frame (RFC 6455 5.2). */
function frameBytes(payloadBytes: number): number {
  if (payloadBytes < 126) return 6 + payloadBytes;
  return (payloadBytes < 65_536 ? 8 : 14) + payloadBytes;
}
