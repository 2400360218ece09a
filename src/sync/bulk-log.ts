// The log lines of the bulk channel. A fault that lasts is logged again each minute, and has a line when it
// is over.

import { formatEndpoint } from '../shared/endpoint.ts';
import { LogLimiter } from '../shared/log-limiter.ts';
import type { Logger } from '../shared/logger.ts';
import { OngoingFaults } from '../shared/ongoing-faults.ts';
import type { Peer } from '../shared/peer.ts';

export class BulkLog {
  readonly #log: Logger;
  readonly #faults = new OngoingFaults();
  readonly #limiter = new LogLimiter();

  constructor(log: Logger) {
    this.#log = log;
  }

  failed(peer: Peer, reason: string, now: number): void {
    if (!this.#faults.report(`connection ${peer.name}`, now)) return;
    const { name, endpoint } = peer;
    this.#log.warn('large messages and sessions do not reach a peer', {
      ...fieldsOf(peer),
      reason,
      hint: `is TCP ${endpoint.port} open on ${name}, and has it -large or -roaming as this node has?`,
    });
  }

  opened(peer: Peer, now: number): void {
    const lastedMs = this.#faults.resolve(`connection ${peer.name}`, now);
    if (lastedMs === undefined) return;
    this.#log.info('large messages and sessions reach a peer again', {
      ...fieldsOf(peer),
      lastedMs,
    });
  }

  queueFull(peer: Peer, lost: number, now: number): void {
    if (!this.#faults.report(`queue ${peer.name}`, now)) return;
    this.#log.warn('large messages to a peer are lost: it takes them too slowly', {
      ...fieldsOf(peer),
      lost,
    });
  }

  /** The peer has taken all that waited for it. */
  keepsUp(peer: Peer, now: number): void {
    const lastedMs = this.#faults.resolve(`queue ${peer.name}`, now);
    if (lastedMs === undefined) return;
    this.#log.info('a peer takes large messages fast enough again', {
      ...fieldsOf(peer),
      lastedMs,
    });
  }

  tooLarge(peer: Peer, now: number): void {
    const total = this.#limiter.admit(`too large ${peer.name}`, now);
    if (total === 0) return;
    const hint = 'set -large alike on all nodes';
    this.#log.warn('a message of a peer is larger than -large', {
      ...fieldsOf(peer),
      total,
      hint,
    });
  }

  malformed(peer: Peer, now: number): void {
    const total = this.#limiter.admit(`malformed ${peer.name}`, now);
    if (total > 0) this.#log.warn('malformed frame of a peer', { ...fieldsOf(peer), total });
  }

  /** The peer is offline: these faults end without a line. */
  forget({ name }: Peer): void {
    this.#faults.forget(`connection ${name}`);
    this.#faults.forget(`queue ${name}`);
  }
}

function fieldsOf({ name, endpoint }: Peer): { peer: string; address: string } {
  return { peer: name, address: formatEndpoint(endpoint) };
}
