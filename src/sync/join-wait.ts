// Decides when packed messages may leave. While no peer accepts messages, after the start or because
// the last peer went offline, they wait in the send queue for a bounded time. Once the first peer
// accepts them they leave in bursts that a small receive buffer takes. Knows nothing of packets.
//
//   state      messages                      until
//   waiting    are queued                    a peer accepts messages: releasing
//                                            the time is over with a peer online: releasing
//                                            the time is over without one: alone
//   alone      are not taken                 a peer comes online: waiting
//   releasing  leave in bursts               the queue is empty: open
//   open       leave at once                 no peer is online: waiting

import {
  JOIN_GRACE_LONGEST_MS,
  JOIN_GRACE_MS,
  RELEASE_DATAGRAMS,
  RELEASE_INTERVAL_MS,
} from './limits.ts';

export type JoinState = 'waiting' | 'alone' | 'releasing' | 'open';

export class JoinWait {
  readonly #waitMs: number;
  #state: JoinState;
  /** End of the wait for a first peer. */
  #until: number;
  #firstAcceptingAt: number | undefined;
  /** Datagrams that may still leave in this burst. */
  #burst = 0;
  #burstAt = Number.NEGATIVE_INFINITY;
  #deadline = Number.POSITIVE_INFINITY;

  /** @param waitMs longest wait for a first peer; 0: messages never wait */
  constructor(waitMs: number, now: number) {
    this.#waitMs = waitMs;
    this.#state = waitMs === 0 ? 'alone' : 'waiting';
    this.#until = now + waitMs;
    this.#deadline = this.#until;
  }

  get state(): JoinState {
    return this.#state;
  }

  /** False while no other node is online and the wait for one is over. */
  get takesMessages(): boolean {
    return this.#state !== 'alone';
  }

  /** True if a datagram may leave now. */
  get maySend(): boolean {
    return this.#state === 'open' || (this.#state === 'releasing' && this.#burst > 0);
  }

  /** When update() is due, ms. */
  get deadline(): number {
    return this.#deadline;
  }

  /** Counts a datagram that has left. */
  sent(): void {
    if (this.#burst > 0) this.#burst -= 1;
  }

  /**
   * @param online peers that are online
   * @param accepting how many of them accept this node's messages
   * @param isEmpty no message waits
   * @returns true if the state has changed or another burst may leave
   */
  update(online: number, accepting: number, isEmpty: boolean, now: number): boolean {
    const before = this.#state;
    this.#deadline = Number.POSITIVE_INFINITY;
    switch (this.#state) {
      case 'alone':
        if (online > 0) this.#wait(now);
        break;
      case 'waiting':
        this.#watchWait(online, accepting, now);
        break;
      case 'releasing':
        if (online === 0) this.#wait(now);
        else if (isEmpty) this.#state = 'open';
        else this.#release(now);
        break;
      case 'open':
        if (online === 0) this.#wait(now);
        break;
    }
    return this.#state !== before || this.#state === 'releasing';
  }

  #wait(now: number): void {
    this.#firstAcceptingAt = undefined;
    if (this.#waitMs === 0) {
      this.#state = this.#state === 'alone' ? 'open' : 'alone';
      return;
    }
    this.#state = 'waiting';
    this.#until = now + this.#waitMs;
    this.#deadline = this.#until;
  }

  #watchWait(online: number, accepting: number, now: number): void {
    let releaseAt = this.#until;
    if (accepting > 0) {
      this.#firstAcceptingAt ??= now;
      const graceMs = accepting === online ? JOIN_GRACE_MS : JOIN_GRACE_LONGEST_MS;
      releaseAt = this.#firstAcceptingAt + graceMs;
    }
    if (now < releaseAt) this.#deadline = releaseAt;
    else if (online === 0) this.#state = 'alone';
    else this.#release(now);
  }

  /** Allows another burst if the time for it has come. */
  #release(now: number): void {
    this.#state = 'releasing';
    if (now >= this.#burstAt + RELEASE_INTERVAL_MS) {
      this.#burst = RELEASE_DATAGRAMS;
      this.#burstAt = now;
    }
    this.#deadline = this.#burstAt + RELEASE_INTERVAL_MS;
  }
}
