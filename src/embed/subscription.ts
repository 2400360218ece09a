// A subscription of the program: calls its callback with one message after the other and asks the broker
// for no more than the callback deals with. What waits meanwhile is in the session's queue, under the
// same bounds and the same policy as that of a client.
// Invariant: the callback never runs within an event of the core, nor before an earlier message of its
// subscription.

import { performance } from 'node:perf_hooks';
import type { InProcessSink, InProcessSubscriber } from '../broker/client/in-process-subscriber.ts';
import type { Message } from '../broker/message/message.ts';
import type { QoS } from '../mqtt/publish-view.ts';
import { Fifo } from '../shared/fifo.ts';
import type * as api from './api.ts';
import { isThenable } from './hook-runner.ts';
import { ProgramMessage } from './program-message.ts';

/** Messages taken from the broker and not yet passed on: as much as a socket may leave untaken. */
const AHEAD_BYTES_MAX = 1_048_576;
/** What a message takes besides its payload. */
const MESSAGE_BYTES = 64;
/** After this time of promises that settle at once, the next call waits for a turn of the event loop. */
const TURN_MS = 5;

interface Taken {
  readonly message: Message;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly packetId: number;
}

export interface SubscriptionParts {
  readonly filter: string;
  readonly callback: api.MessageCallback;
  /** Calls whose promise is open at a time. */
  readonly concurrency: number;
  /** The callback has thrown or its promise was rejected. */
  readonly failed: (error: unknown) => void;
  /** It has dealt with a message again after that. */
  readonly recovered: () => void;
  readonly ended: () => void;
}

export class ProgramSubscription implements api.Subscription, InProcessSink {
  readonly #parts: SubscriptionParts;
  #subscriber: InProcessSubscriber | undefined;
  readonly #taken = new Fifo<Taken>();
  #aheadBytes = 0;
  #running = 0;
  #isScheduled = false;
  #turnBeganAt = 0;
  #isDraining = false;
  #isEnded = false;
  #isFailing = false;
  /** The broker holds messages back. */
  #wasFull = false;

  constructor(parts: SubscriptionParts) {
    this.#parts = parts;
  }

  /** Called once, with the broker's side of it. */
  begin(subscriber: InProcessSubscriber): void {
    this.#subscriber = subscriber;
  }

  get filter(): string {
    return this.#parts.filter;
  }

  get queued(): number {
    return (this.#subscriber?.queued ?? 0) + this.#taken.size;
  }

  get dropped(): number {
    return this.#subscriber?.dropped ?? 0;
  }

  async unsubscribe(): Promise<void> {
    this.close();
  }

  close(): void {
    if (this.#isEnded) return;
    this.#end();
    this.#subscriber?.close(performance.now());
  }

  ended(): void {
    if (!this.#isEnded) this.#end();
  }

  #end(): void {
    this.#isEnded = true;
    this.#taken.clear();
    this.#parts.ended();
  }

  get isFull(): boolean {
    const isFull = this.#aheadBytes >= AHEAD_BYTES_MAX;
    if (isFull) this.#wasFull = true;
    return isFull;
  }

  take(message: Message, qos: QoS, retain: boolean, packetId: number): void {
    if (this.#isEnded) return;
    this.#taken.push({ message, qos, retain, packetId });
    this.#aheadBytes += bytesOf(message);
    this.#schedule();
  }

  /** What the callback itself causes follows in the next turn, so that others have theirs. */
  #schedule(isLater = this.#isDraining): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    const isOver = performance.now() - this.#turnBeganAt > TURN_MS;
    if (isLater || isOver) setImmediate(this.#runInNextTurn);
    else process.nextTick(this.#run);
  }

  readonly #runInNextTurn = (): void => {
    this.#turnBeganAt = performance.now();
    this.#run();
  };

  readonly #run = (): void => {
    this.#isScheduled = false;
    this.#drain();
  };

  /**
   * Passes on all that is taken: a callback that takes long without a promise holds up the event loop, and so
   * the publishers, in place of losing messages.
   */
  #drain(): void {
    const { concurrency } = this.#parts;
    this.#isDraining = true;
    for (let due = this.#taken.size; due > 0 && this.#running < concurrency; due--) {
      this.#call(this.#taken.shift()!);
      if (this.#isEnded) return;
    }
    this.#isDraining = false;
    if (this.#taken.size > 0 && this.#running < concurrency) this.#schedule(true);
    if (!this.#wasFull || this.#aheadBytes >= AHEAD_BYTES_MAX / 2) return;
    this.#wasFull = false;
    this.#subscriber?.drained(performance.now());
  }

  #call(taken: Taken): void {
    const { message, qos, retain } = taken;
    let result: unknown;
    try {
      result = this.#parts.callback(ProgramMessage.of(message, qos, retain));
    } catch (error) {
      this.#failed(taken, error);
      return;
    }
    if (!isThenable(result)) {
      this.#handled(taken);
      return;
    }
    this.#running += 1;
    Promise.resolve(result)
      .then(
        () => this.#handled(taken),
        (error: unknown) => this.#failed(taken, error),
      )
      .then(() => {
        this.#running -= 1;
        if (!this.#isEnded) this.#schedule();
      });
  }

  /** The message counts as handled: the same callback would most likely fail again. */
  #failed(taken: Taken, error: unknown): void {
    this.#isFailing = true;
    this.#parts.failed(error);
    this.#settle(taken);
  }

  #handled(taken: Taken): void {
    if (this.#isFailing) {
      this.#isFailing = false;
      this.#parts.recovered();
    }
    this.#settle(taken);
  }

  #settle({ message, qos, packetId }: Taken): void {
    this.#aheadBytes -= bytesOf(message);
    if (qos > 0) this.#subscriber?.acknowledge(qos, packetId, performance.now());
  }
}

function bytesOf({ payload }: Message): number {
  return MESSAGE_BYTES + payload.length;
}
