// Logs why datagrams of one UDP socket can't be sent, in words: a firewall, no route, no buffers. One
// line when a kind of error begins, one each minute while it goes on, and one when it is over.
// Invariant: costs nothing while datagrams are sent without errors.

import { performance } from 'node:perf_hooks';
import { describeSystemError } from '../../shared/describe-system-error.ts';
import { formatEndpoint, plainAddress } from '../../shared/endpoint.ts';
import type { Logger } from '../../shared/logger.ts';
import { OngoingFaults } from '../../shared/ongoing-faults.ts';

/** Errors may concern one receiver of many: only this long a time without them is well again. */
const QUIET_MS = 10_000;

interface SendError extends NodeJS.ErrnoException {
  readonly address?: string;
  readonly port?: number;
}

export class SendFaults {
  readonly #log: Logger;
  /** Of the socket. */
  readonly #port: number;
  readonly #faults = new OngoingFaults();
  /** By error code: when it last occurred. */
  readonly #lastErrorAt = new Map<string, number>();
  #total = 0;

  constructor(log: Logger, port: number) {
    this.#log = log;
    this.#port = port;
  }

  /** True while a line about an error waits for the line that all is well again. */
  get isOngoing(): boolean {
    return this.#lastErrorAt.size > 0;
  }

  failed(error: SendError): void {
    const now = performance.now();
    const { code = error.name, address = '', port = 0 } = error;
    this.#total += 1;
    this.#lastErrorAt.set(code, now);
    if (!this.#faults.report(code, now)) return;
    this.#log.warn('datagrams cannot be sent', {
      port: this.#port,
      to: address === '' ? undefined : formatEndpoint({ address: plainAddress(address), port }),
      reason: describeSystemError(error, 'network'),
      total: this.#total,
    });
  }

  /** Call after a datagram was sent, while isOngoing. */
  succeeded(): void {
    const now = performance.now();
    for (const [code, at] of this.#lastErrorAt) {
      if (now - at < QUIET_MS) continue;
      this.#lastErrorAt.delete(code);
      const lastedMs = this.#faults.resolve(code, now);
      if (lastedMs === undefined) continue;
      this.#log.info('datagrams are sent again', { port: this.#port, lastedMs });
    }
  }
}
