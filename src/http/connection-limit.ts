// The bound of the connections of one server. Once it is reached, the address with the most connections loses its
// oldest one to a new one of another address, so that no address keeps all others out.
// Invariant: never more than CONNECTIONS_MAX.

import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { plainAddress } from '../shared/endpoint.ts';
import { LogLimiter } from '../shared/log-limiter.ts';
import type { Logger } from '../shared/logger.ts';
import { mostCommon } from '../shared/most-common.ts';
import { OngoingFaults } from '../shared/ongoing-faults.ts';

export const CONNECTIONS_MAX = 128;
const FAULT = 'full';

export class ConnectionLimit {
  /** Closed because too many were open, or because they asked again before the answer. */
  refused = 0;
  readonly #log: Logger;
  /** With the address of each, the oldest first. */
  readonly #open = new Map<Socket, string>();
  readonly #faults = new OngoingFaults();
  readonly #limiter = new LogLimiter();

  constructor(log: Logger) {
    this.#log = log;
  }

  arrived(socket: Socket): void {
    const from = plainAddress(socket.remoteAddress ?? '');
    if (this.#open.size >= CONNECTIONS_MAX) {
      const victim = this.#victimOf(from) ?? socket;
      this.#refuse(victim, this.#open.get(victim) ?? from);
      if (victim === socket) return;
    }
    this.#open.set(socket, from);
    socket.once('close', () => this.#closed(socket));
  }

  /** Closes a connection that asks again before the answer. */
  closeImpatient(connection: Socket): void {
    if (connection.destroyed) return;
    this.refused += 1;
    const from = plainAddress(connection.remoteAddress ?? '');
    connection.destroy();
    const count = this.#limiter.admit('impatient', performance.now());
    if (count === 0) return;
    this.#log.warn('HTTP connection closed: it asked again before the answer', { from, count });
  }

  /** @returns undefined if the new connection is the one too many of its address */
  #victimOf(from: string): Socket | undefined {
    const busiest = mostCommon(this.#open.values());
    if (busiest === from) return undefined;
    return [...this.#open].find(([, address]) => address === busiest)?.[0];
  }

  #refuse(socket: Socket, from: string): void {
    this.refused += 1;
    this.#open.delete(socket);
    socket.destroy();
    if (!this.#faults.report(FAULT, performance.now())) return;
    const bound = CONNECTIONS_MAX;
    this.#log.warn('HTTP connections are closed: too many are open', { from, bound });
  }

  #closed(socket: Socket): void {
    this.#open.delete(socket);
    if (this.#open.size > CONNECTIONS_MAX / 2) return;
    const lastedMs = this.#faults.resolve(FAULT, performance.now());
    if (lastedMs !== undefined) this.#log.info('HTTP connections are accepted again', { lastedMs });
  }
}
