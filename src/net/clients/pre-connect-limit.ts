// Bounds the memory that connections take before the node has answered their CONNECT: a packet that
// is never finished, a password that waits for its check, a WebSocket message that grows. Knows numbers
// of bytes, and nothing of what they mean.
// Invariant: a connection that sends little is never refused, however much others send; and addresses with
// much are refused first, so that another one finds room for a large CONNECT.

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

  /** @param address of the client of a new connection */
  open(address: string): PreConnectCount {
    return new PreConnectCount(this, sourceOf(address));
  }

  /** @returns true if a connection of the source has to be refused: it and others have sent too much */
  isTooMuch(source: string): boolean {
    const own = this.#bySource.get(source) ?? 0;
    return this.#bytes > TOTAL_BYTES_MAX || isOverShare(own, this.#bytes, TOTAL_BYTES_MAX);
  }

  /** @param bytes negative to give them back */
  charge(source: string, bytes: number): void {
    if (bytes === 0) return;
    this.#bytes += bytes;
    const own = (this.#bySource.get(source) ?? 0) + bytes;
    if (own === 0) this.#bySource.delete(source);
    else this.#bySource.set(source, own);
  }
}

/** What one connection has sent before its CONNECT was answered. */
export class PreConnectCount {
  readonly #limit: PreConnectLimit;
  readonly #source: string;
  #bytes = 0;
  #isOver = false;

  constructor(limit: PreConnectLimit, source: string) {
    this.#limit = limit;
    this.#source = source;
  }

  /** @returns false once: the connection has to be refused, and nothing more is counted */
  add(bytes: number): boolean {
    if (this.#isOver) return true;
    const before = this.#bytes;
    this.#bytes += bytes;
    this.#limit.charge(this.#source, beyondFree(this.#bytes) - beyondFree(before));
    const isRefused =
      this.#bytes > FREE_BYTES &&
      (this.#bytes > CONNECTION_BYTES_MAX || this.#limit.isTooMuch(this.#source));
    if (!isRefused) return true;
    this.#limit.refused += 1;
    this.end();
    return false;
  }

  /** The CONNECT is answered, or the connection closed. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#limit.charge(this.#source, -beyondFree(this.#bytes));
  }
}

function beyondFree(bytes: number): number {
  return Math.max(0, bytes - FREE_BYTES);
}
