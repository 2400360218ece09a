// Bytes that arrive while the broker reads no packets of a connection, in their order.

export class HeldChunks {
  /** Memory of all of them. */
  bytes = 0;
  readonly #chunks: Buffer[] = [];

  get length(): number {
    return this.#chunks.length;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.bytes += chunk.length;
  }

  shift(): Buffer | undefined {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) this.bytes -= chunk.length;
    return chunk;
  }
}
