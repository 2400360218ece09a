// The health policy of -exit-without-peers: counts checks in a row that find no other node online, and
// asks for the end of the process when they are too many, so that its supervisor starts it afresh.
// Invariant: only a node that has had a peer since its start ends. A box that is alone for good is
// restarted once, and then serves its clients.

import { performance } from 'node:perf_hooks';
import type { Logger } from '../../shared/logger.ts';

const CHECK_MS = 2_000;

/** No other node was online for too many checks: this node has to end. */
export class IsolatedError extends Error {
  override readonly name = 'IsolatedError';

  constructor(checks: number) {
    super(
      `no other node was online in ${checks} checks (-exit-without-peers): the node ends, to be started again`,
    );
  }
}

export interface PeerWatchOptions {
  /** Infinity: never. */
  readonly checksMax: number;
  readonly log: Logger;
}

export class PeerWatch {
  /** Resolves when the node has to end. */
  readonly isolated: Promise<Error>;
  #report: (error: Error) => void = () => undefined;
  readonly #options: PeerWatchOptions;
  readonly #timer: NodeJS.Timeout | undefined;
  #peers = 0;
  #hadPeer = false;
  #checks = 0;
  #aloneSince = 0;

  constructor(options: PeerWatchOptions) {
    this.#options = options;
    this.isolated = new Promise((resolve) => {
      this.#report = resolve;
    });
    if (options.checksMax === Number.POSITIVE_INFINITY) return;
    this.#timer = setInterval(() => this.#check(performance.now()), CHECK_MS);
    this.#timer.unref();
  }

  /** Other nodes that are online from now on. */
  set peers(count: number) {
    this.#peers = count;
    if (count > 0) this.#hadPeer = true;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #check(now: number): void {
    const { log, checksMax } = this.#options;
    if (this.#peers > 0) {
      if (this.#checks > 0) {
        const lastedMs = Math.round(now - this.#aloneSince);
        log.info('another node is online: the node goes on', { lastedMs });
      }
      this.#checks = 0;
      return;
    }
    if (!this.#hadPeer) return;
    this.#checks += 1;
    if (this.#checks === 1) {
      this.#aloneSince = now;
      const endsInMs = (checksMax - 1) * CHECK_MS;
      log.warn('no other node is online: the node ends unless one returns', { endsInMs });
    }
    if (this.#checks < checksMax) return;
    this.close();
    this.#report(new IsolatedError(checksMax));
  }
}
