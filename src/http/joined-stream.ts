// A stream of all nodes: the part of this node, and those of the others, joined in the order in which they come. A
// lasting one also follows nodes that come online later, or again. Knows no route.
// Invariants: no event is shown twice, though a node repeats its last ones for each follower; a node that can't be
// followed is asked more and more rarely, and reported once.

import type { StreamSink, StreamStart } from './route.ts';

const REVIEW_MS = 1000;
const REST_MS_MAX = 60_000;

export interface JoinedParts {
  /** Names of the nodes that are online, this one first. */
  online(): readonly string[];
  readonly own: StreamStart;
  /** @returns ends it */
  follow(node: string, follower: JoinedFollower): () => void;
  /** The stream ends only when its reader does, so that nodes that come later belong to it. */
  readonly isLasting: boolean;
}

export interface JoinedFollower {
  event(event: string, data: object): void;
  /** @param problem why the node has no more events; undefined if it has said all */
  ended(problem: string | undefined): void;
}

interface Followed {
  stop: () => void;
  isOpen: boolean;
  /** Time of the last event by the clock of the node; events up to it are known after a return. */
  lastAt: number;
  failures: number;
  retryAt: number;
}

export function joinedStream(parts: JoinedParts): StreamStart {
  return (sink) => {
    const joined = new JoinedStream(parts, sink);
    return () => joined.stop();
  };
}

class JoinedStream {
  readonly #parts: JoinedParts;
  readonly #sink: StreamSink;
  readonly #stopOwn: () => void;
  readonly #followed = new Map<string, Followed>();
  /** Parts that have not ended. */
  #open = 1;
  readonly #timer: NodeJS.Timeout | undefined;

  constructor(parts: JoinedParts, sink: StreamSink) {
    this.#parts = parts;
    this.#sink = sink;
    const [, ...others] = parts.online();
    this.#open += others.length;
    this.#stopOwn = parts.own({
      send: (event, data) => sink.send(event, data),
      end: () => this.#partEnded(),
    });
    for (const node of others) this.#follow(node);
    if (parts.isLasting) this.#timer = setInterval(() => this.#review(), REVIEW_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#stopOwn();
    for (const { stop } of this.#followed.values()) stop();
  }

  #review(): void {
    const [, ...others] = this.#parts.online();
    for (const node of others) {
      const followed = this.#followed.get(node);
      if (followed?.isOpen || Date.now() < (followed?.retryAt ?? 0)) continue;
      this.#open += 1;
      this.#follow(node);
    }
  }

  #follow(node: string): void {
    const known = this.#followed.get(node);
    const { lastAt = Number.NEGATIVE_INFINITY, failures = 0 } = known ?? {};
    const followed: Followed = {
      stop: () => undefined,
      isOpen: true,
      lastAt,
      failures,
      retryAt: 0,
    };
    this.#followed.set(node, followed);
    followed.stop = this.#parts.follow(node, {
      event: (event, data) => {
        followed.failures = 0;
        const { at } = data as { at?: unknown };
        if (typeof at === 'number') {
          if (at <= lastAt) return;
          followed.lastAt = at;
        }
        this.#sink.send(event, data);
      },
      ended: (problem) => {
        followed.isOpen = false;
        if (problem !== undefined && followed.failures === 0) {
          this.#sink.send('end', { node, reason: problem });
        }
        followed.failures += 1;
        followed.retryAt = Date.now() + Math.min(REST_MS_MAX, REVIEW_MS * 2 ** followed.failures);
        this.#partEnded();
      },
    });
  }

  #partEnded(): void {
    this.#open -= 1;
    if (this.#open === 0) this.#sink.end();
  }
}
