// Decides which accepted sockets are served: as many as a listener may have (-max-connections), and
// of all listeners together as many as there are file descriptors for. Knows no protocol.
// Invariant: a socket that a client has closed takes no place from one that it opens afterwards. So
// at a limit the decision waits some turns of the event loop, in which the ends that have already
// arrived are read. Sockets that wait are bounded.

import type { Socket } from 'node:net';

/** An end takes up to three turns from the system to the 'close' event, one more through TLS. */
const WAIT_TURNS = 6;

/** The sockets of one listener that are served. */
export interface ListenerSockets {
  served: number;
  /** Of this listener; may change at any time. */
  max(): number;
}

/** A socket until it closes: as little as possible, since each open connection keeps one. */
interface Admission {
  readonly sockets: ListenerSockets;
  isServed: boolean;
}

/** A socket until the decision. */
interface WaitingSocket {
  readonly admission: Admission;
  readonly socket: Socket;
  readonly serve: () => void;
  readonly drop: (limit: LimitReached) => void;
  turnsLeft: number;
}

/** Which limit keeps a socket out. */
export type LimitReached = 'listener' | 'descriptors';

export class SocketLimit {
  /** Client sockets of all listeners that are served. */
  served = 0;
  /** Those and the ones that wait for a decision. */
  #open = 0;
  /** Of all listeners together. */
  readonly max: number;
  /** Sockets that may wait beyond `max`. */
  readonly #waitingBeyondMax: number;
  #waiting: WaitingSocket[] = [];

  /** @param waitingBeyondMax a part of the reserve of descriptors */
  constructor(max: number, waitingBeyondMax: number) {
    this.max = max;
    this.#waitingBeyondMax = waitingBeyondMax;
  }

  /**
   * Calls `serve` or `drop` once, now or some turns later; neither if the socket ends before. `drop`
   * has to destroy the socket.
   */
  admit(
    socket: Socket,
    sockets: ListenerSockets,
    serve: () => void,
    drop: (limit: LimitReached) => void,
  ): void {
    this.#open += 1;
    const admission = this.#track(socket, sockets);
    if (this.#waiting.length === 0 && this.#limitFor(sockets) === undefined) {
      this.#serve(admission);
      serve();
    } else if (this.#open > this.max + this.#waitingBeyondMax) {
      drop('descriptors');
    } else {
      if (this.#waiting.length === 0) setImmediate(() => this.#decide());
      this.#waiting.push({ admission, socket, serve, drop, turnsLeft: WAIT_TURNS });
    }
  }

  /** Apart from admit(), so that the listener for 'close' keeps nothing of its scope alive. */
  #track(socket: Socket, sockets: ListenerSockets): Admission {
    const admission: Admission = { sockets, isServed: false };
    socket.on('close', () => this.#closed(admission));
    return admission;
  }

  #closed({ sockets, isServed }: Admission): void {
    this.#open -= 1;
    if (!isServed) return;
    sockets.served -= 1;
    this.served -= 1;
  }

  #limitFor(sockets: ListenerSockets): LimitReached | undefined {
    if (sockets.served >= sockets.max()) return 'listener';
    return this.served >= this.max ? 'descriptors' : undefined;
  }

  #serve(admission: Admission): void {
    admission.isServed = true;
    admission.sockets.served += 1;
    this.served += 1;
  }

  /** In the order of arrival, so that the first come is the first served. */
  #decide(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    const stillWaiting: WaitingSocket[] = [];
    for (const one of waiting) {
      const { admission, socket, serve, drop } = one;
      if (socket.destroyed) continue;
      one.turnsLeft -= 1;
      const limit = this.#limitFor(admission.sockets);
      if (limit === undefined) {
        this.#serve(admission);
        serve();
      } else if (one.turnsLeft > 0) stillWaiting.push(one);
      else drop(limit);
    }
    this.#waiting = [...stillWaiting, ...this.#waiting];
    if (this.#waiting.length > 0) setImmediate(() => this.#decide());
  }
}
